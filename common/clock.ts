/** Time, as it is passed in everywhere: wall clock, monotonic clock and timers, so that tests can move it. */

export interface Clock {
  /** Milliseconds since the epoch; may jump. For what people read. */
  now(): number;
  /** Milliseconds that only ever rise. For leases, timeouts, intervals. */
  monotonic(): number;
  /** Calls once after `ms`; returns its own undo. */
  after(ms: number, call: () => void): () => void;
  /** Calls every `ms`; returns its own undo. */
  every(ms: number, call: () => void): () => void;
  /** Resolves after `ms`; rejects with the signal's reason when that comes first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer of Node that is told to wait longer than this goes off at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A long wait is made of several. */
function after(ms: number, call: () => void): () => void {
  const wait = (left: number): NodeJS.Timeout =>
    left <= LONGEST_MS
      ? setTimeout(call, left)
      : setTimeout(() => {
          timer = wait(left - LONGEST_MS);
        }, LONGEST_MS);
  let timer = wait(ms);
  return () => clearTimeout(timer);
}

/** The real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
  every: (ms, call) => {
    const timer = setInterval(call, ms);
    return () => clearInterval(timer);
  },
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const stop = () => {
        undo();
        reject(signal?.reason as Error);
      };
      const undo = after(ms, () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      });
      signal?.addEventListener('abort', stop, { once: true });
    }),
};

/** The present moment as ISO 8601 in UTC. */
export const moment = (clock: Clock): string => new Date(clock.now()).toISOString();
