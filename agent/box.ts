/** The agent of this box, whichever it is: of a member, or of a box that has left; one follows the other. */
import type { Clock } from '../common/clock.ts';
import type { Running } from '../common/lifecycle.ts';
import { takeLock } from '../common/lock.ts';
import type { Log } from '../common/log.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import type { Left } from '../protocol/local.ts';
import { startAgent } from './agent.ts';
import type { Config } from './config.ts';
import { forgetLeft, isMember, readLeft, writeLeft } from './own/left.ts';
import { startOwn } from './own.ts';

export interface BoxOptions {
  config: Config;
  clock: Clock;
  log: Log;
  /** What follows could not be started: the process is to end, so that its init starts it again. */
  failed: (err: unknown) => void;
}

/** Takes up the box as it is. @throws EvenkeelError already-exists when another agent has it, not-found when it never joined */
export async function startBox({ failed, ...options }: BoxOptions): Promise<Running> {
  const { state } = options.config.paths;
  const { log } = options;
  const unlock = await takeLock('agent', state);
  if (!unlock) throw new EvenkeelError('already-exists', `another agent runs with ${state}`);
  let running: Running | undefined;
  let stopped = false;
  let isNode = false;
  let queue: Promise<void> = Promise.resolve();

  /** One after the other: what is turned to while it stops is not started, and nobody leaves twice. */
  const turn = (from: 'node' | 'own', before?: () => Promise<void>) => {
    queue = queue
      .then(async () => {
        if (stopped || isNode !== (from === 'node')) return;
        await before?.();
        await running?.stop();
        running = await start();
      })
      .catch((err: unknown) => {
        log.error({ err: messageOf(err) }, 'the agent could not go on');
        failed(err);
      });
  };
  const start = async (): Promise<Running> => {
    const left = await readLeft(state);
    isNode = left === null || (left.done && isMember(state));
    if (left !== null && !isNode) return startOwn({ ...options, left, joined: () => turn('own') });
    if (left !== null) await forgetLeft(state);
    return startAgent({ ...options, leave: (now: Left) => turn('node', () => writeLeft(state, now)) });
  };
  // At the head of the queue: a box that leaves while it starts does so afterwards.
  const first = start().then((begun) => {
    running = begun;
  });
  queue = first.catch(() => undefined);
  try {
    await first;
  } catch (err) {
    await unlock();
    throw err;
  }
  return {
    stop: async () => {
      stopped = true;
      await queue;
      await running?.stop();
      await unlock();
    },
  };
}
