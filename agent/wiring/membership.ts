/** Membership: a box that is turned away asks whether it was removed; only when it is told so twice does it leave. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';

export interface MembershipOptions {
  /** Asks the manager, by the certificate or, where that has ended, by proof. @throws EvenkeelError node-removed */
  ask: () => Promise<unknown>;
  /** Nothing may be changed on this box now. */
  held: () => boolean;
  /** The box was removed, for certain. */
  gone: () => void;
  clock: Clock;
  log: Log;
}

export interface Membership {
  /** It was turned away, for whatever reason. */
  doubt(): void;
  stop(): void;
}

/** Between the two answers: whoever removed the wrong node has as long to declare it again. */
const GRACE_MS = 30_000;

export function createMembership({ ask, held, gone, clock, log }: MembershipOptions): Membership {
  const stopping = new AbortController();
  let asking = false;
  const isRemoved = async (): Promise<boolean> => {
    try {
      await ask();
      return false;
    } catch (err) {
      if (err instanceof EvenkeelError && err.code === 'node-removed') return true;
      log.info({ err: messageOf(err) }, 'the manager does not say whether this box is a member');
      return false;
    }
  };
  const look = async () => {
    if (!(await isRemoved())) return;
    log.warn({ seconds: GRACE_MS / 1000 }, 'the manager says that this node was removed; it is asked again');
    await clock.sleep(GRACE_MS, stopping.signal);
    if (!(await isRemoved()) || stopping.signal.aborted) return;
    if (held()) log.warn({}, 'this node was removed; while the box is on hold nothing is changed on it');
    else gone();
  };
  return {
    doubt: () => {
      if (asking) return;
      asking = true;
      void look()
        .catch((err: unknown) => {
          if (!stopping.signal.aborted) log.error({ err: messageOf(err) }, 'membership was not asked for');
        })
        .finally(() => {
          asking = false;
        });
    },
    stop: () => stopping.abort(new Error('the agent stops')),
  };
}
