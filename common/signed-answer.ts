/** A question to the manager whose answer is signed: what is not signed, or is something else, is nothing. */
import { type KeyObject, randomInt } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { EvenkeelError } from '../protocol/errors.ts';
import { Envelope } from '../protocol/messages.ts';
import { open } from './envelope.ts';
import { type Call, refusalIn, request } from './request.ts';

const isEnvelope = Compile(Envelope);

/**
 * The answer, or when to ask again.
 * @throws EvenkeelError what the manager refuses, signature-invalid, or node-unreachable
 */
export async function signedAnswer<T>(
  call: Call,
  { signingKey, is }: { signingKey: KeyObject; is: (value: unknown) => value is T },
): Promise<{ answer: T } | { againAfter: number }> {
  const answered = await request(call);
  // As told, and a little later, so that those who were told the same do not come together.
  if (answered.retryAfter !== undefined) return { againAfter: answered.retryAfter + randomInt(1000) };
  if (answered.status !== 200) throw refusalIn(answered);
  if (!isEnvelope.Check(answered.body))
    throw new EvenkeelError('signature-invalid', 'the answer to a pull is not a signed message');
  return { answer: open(answered.body, signingKey, is) };
}
