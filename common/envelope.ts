/** Signed envelopes: the cluster's Ed25519 key signs the exact bytes of a JSON text. */
import { type KeyObject, sign, verify } from 'node:crypto';
import { EvenkeelError } from '../protocol/errors.ts';
import type { Envelope } from '../protocol/messages.ts';

/** Signs a message. The key is Ed25519. */
export function seal(message: unknown, key: KeyObject): Envelope {
  const p = JSON.stringify(message);
  return { p, s: sign(null, Buffer.from(p), key).toString('base64') };
}

/**
 * Opens an envelope.
 * @param check judges the parsed message's shape
 * @throws EvenkeelError signature-invalid when the signature or the shape does not hold
 */
export function open<T>(envelope: Envelope, key: KeyObject, check: (value: unknown) => value is T): T {
  if (!verify(null, Buffer.from(envelope.p), key, Buffer.from(envelope.s, 'base64')))
    throw new EvenkeelError('signature-invalid', 'the signature is not by the key of this cluster');
  const message: unknown = JSON.parse(envelope.p);
  if (!check(message))
    throw new EvenkeelError('signature-invalid', 'a signed message does not fit its schema');
  return message;
}
