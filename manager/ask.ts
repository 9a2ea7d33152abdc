/** Asking a node: a signed request out, its answer back by id, within a time. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import type { Answer, Ask, Envelope } from '../protocol/messages.ts';

/** What some questions carry. */
export type More = Pick<Ask, 'needs' | 'release'>;

export interface Asker {
  /** @throws EvenkeelError node-unreachable when no answer comes in time, busy when too many wait */
  ask(node: string, what: Ask['what'], more?: More): Promise<Answer>;
  /** Sends without waiting: for hints such as `probe`. */
  hint(node: string, what: Ask['what']): void;
  /** Takes an answer as it arrives; one that nobody waits for is ignored. */
  answered(node: string, answer: Answer): void;
}

interface Waiting {
  node: string;
  resolve: (answer: Answer) => void;
}

const PATIENCE_MS = 20_000;
const MOST_WAITING = 200;

/** @param send publishes the signed request to the node's own topic; may be called while the node is away */
export function createAsker({
  cluster,
  seal,
  send,
  clock,
  log,
}: {
  cluster: string;
  seal: (message: Ask) => Envelope;
  send: (node: string, envelope: Envelope) => Promise<void>;
  clock: Clock;
  log: Log;
}): Asker {
  const waiting = new Map<string, Waiting>();
  const post = (node: string, what: Ask['what'], more: More = {}): string => {
    const id = randomUUID();
    send(node, seal({ type: 'ask', cluster, node, id, what, ...more })).catch((err: unknown) =>
      log.warn({ node, what, err: messageOf(err) }, 'question was not sent'),
    );
    return id;
  };
  return {
    hint: (node, what) => {
      post(node, what);
    },
    ask: (node, what, more) =>
      new Promise((resolve, reject) => {
        if (waiting.size >= MOST_WAITING)
          return reject(new EvenkeelError('busy', `${MOST_WAITING} questions to nodes are open already`));
        const id = post(node, what, more);
        const giveUp = clock.after(PATIENCE_MS, () => {
          waiting.delete(id);
          reject(
            new EvenkeelError(
              'node-unreachable',
              `node ${node} did not answer within ${PATIENCE_MS / 1000} s`,
            ),
          );
        });
        waiting.set(id, {
          node,
          resolve: (answer) => {
            giveUp();
            waiting.delete(id);
            resolve(answer);
          },
        });
      }),
    answered: (node, answer) => {
      const entry = waiting.get(answer.id);
      if (entry?.node === node) entry.resolve(answer);
    },
  };
}
