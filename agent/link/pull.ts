/** Asking for what came after a revision: one signed answer, or word when to ask again. */
import { type KeyObject, randomInt } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { open } from '../../common/envelope.ts';
import { refusalIn, request } from '../../common/request.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { Changes, Envelope, type ScopeName } from '../../protocol/messages.ts';

export type Pulled = { changes: Changes } | { againAfter: number };

/** @throws EvenkeelError what the manager refuses, or node-unreachable */
export type Pull = (scope: ScopeName, epoch: number, since: number) => Promise<Pulled>;

export interface PullOptions {
  address: string;
  port: number;
  signingKey: KeyObject;
  /** The node's own certificate and the authorities it believes. */
  credentials: () => { key: string; cert: string; ca: string };
}

const TIMEOUT_MS = 60_000;
const isEnvelope = Compile(Envelope);
const changesShape = Compile(Changes);
const isChanges = (value: unknown): value is Changes => changesShape.Check(value);

export const createPull =
  ({ address, port, signingKey, credentials }: PullOptions): Pull =>
  async (scope, epoch, since) => {
    const path = `/v1/scopes/${scope}/changes?epoch=${epoch}&since=${since}`;
    const tls = credentials();
    const answer = await request({ host: address, port, method: 'GET', path, tls, timeout: TIMEOUT_MS });
    // As told, and a little later, so that those who were told the same do not come together.
    if (answer.retryAfter !== undefined) return { againAfter: answer.retryAfter + randomInt(1000) };
    if (answer.status !== 200) throw refusalIn(answer);
    if (!isEnvelope.Check(answer.body))
      throw new EvenkeelError('signature-invalid', 'the answer to a pull is not a signed message');
    const changes = open(answer.body, signingKey, isChanges);
    if (changes.scope !== scope)
      throw new EvenkeelError('signature-invalid', `asked for ${scope}, the answer is of ${changes.scope}`);
    return { changes };
  };
