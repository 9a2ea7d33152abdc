/** Asking the manager what is to be done: one request over mutual TLS, whose signed answer is the receipt for what was told with it. */
import type { KeyObject } from 'node:crypto';
import { Agent } from 'node:https';
import { Compile } from 'typebox/compile';
import { signedAnswer } from '../../common/signed-answer.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { machines } from '../../protocol/machines.ts';
import { QueueAnswer, type QueuePull } from '../../protocol/queue.ts';

export interface QueuePullOptions {
  node: string;
  cluster: string;
  address: string;
  port: number;
  signingKey: KeyObject;
  credentials: () => { key: string; cert: string; ca: string };
}

const TIMEOUT_MS = 30_000;
/** As long as one command mostly takes: a handshake for each would be most of the manager's work. */
const KEPT_MS = 5_000;
/** The values of one command, as long as they may be. */
const LARGEST = 64 * 1024 * 1024;
const shape = Compile(QueueAnswer);
const isAnswer = (value: unknown): value is QueueAnswer => shape.Check(value);

export function createQueuePull(options: QueuePullOptions) {
  const { node, cluster, address, port, signingKey, credentials } = options;
  // Of one certificate: with another, another connection is made. What was verified once is not taken up again later.
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0, timeout: KEPT_MS });
  return async (said: QueuePull): Promise<QueueAnswer | { againAfter: number }> => {
    const { method, path } = machines.queue;
    const call = {
      host: address,
      port,
      method,
      path,
      agent,
      body: said,
      timeout: TIMEOUT_MS,
      limit: LARGEST,
    };
    const signed = await signedAnswer({ ...call, tls: credentials() }, { signingKey, is: isAnswer });
    if ('againAfter' in signed) return signed;
    const { answer } = signed;
    if (answer.cluster !== cluster || answer.node !== node)
      throw new EvenkeelError('signature-invalid', `the answer is for ${answer.node}, and this is ${node}`);
    return answer;
  };
}
