/** Asking for what came after a revision: one signed answer, or word when to ask again. */
import type { KeyObject } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { signedAnswer } from '../../common/signed-answer.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { Changes, type ScopeName } from '../../protocol/messages.ts';

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
const changesShape = Compile(Changes);
const isChanges = (value: unknown): value is Changes => changesShape.Check(value);

export const createPull =
  ({ address, port, signingKey, credentials }: PullOptions): Pull =>
  async (scope, epoch, since) => {
    const path = `/v1/scopes/${scope}/changes?epoch=${epoch}&since=${since}`;
    const call = {
      host: address,
      port,
      method: 'GET' as const,
      path,
      tls: credentials(),
      timeout: TIMEOUT_MS,
    };
    const signed = await signedAnswer(call, { signingKey, is: isChanges });
    if ('againAfter' in signed) return signed;
    const changes = signed.answer;
    if (changes.scope !== scope)
      throw new EvenkeelError('signature-invalid', `asked for ${scope}, the answer is of ${changes.scope}`);
    return { changes };
  };
