/** A clock that tests move by hand. */
import type { Clock } from '../../common/clock.ts';

interface Timer {
  at: number;
  every: number | null;
  call: () => void;
}

export interface ManualClock extends Clock {
  /** Moves time on, firing what is due in order; awaits microtasks between, so that async work follows. */
  advance(ms: number): Promise<void>;
}

/** @param start milliseconds since the epoch at which the clock begins */
export function createManualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let elapsed = 0;
  const timers = new Set<Timer>();
  const add = (ms: number, every: number | null, call: () => void) => {
    const timer = { at: elapsed + ms, every, call };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  };
  const nextDue = (until: number): Timer | undefined => {
    const due = [...timers].filter((timer) => timer.at <= until);
    return due.sort((a, b) => a.at - b.at)[0];
  };
  const fire = (timer: Timer) => {
    elapsed = Math.max(elapsed, timer.at);
    if (timer.every === null) timers.delete(timer);
    else timer.at += Math.max(1, timer.every);
    timer.call();
  };
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after: (ms, call) => add(ms, null, call),
    every: (ms, call) => add(ms, ms, call),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const undo = add(ms, null, resolve);
        signal?.addEventListener('abort', () => {
          undo();
          reject(signal.reason as Error);
        });
      }),
    advance: async (ms) => {
      const until = elapsed + ms;
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        fire(timer);
        await new Promise((resolve) => setImmediate(resolve));
      }
      elapsed = until;
    },
  };
}
