/** Restarts: a daemon that died is started at once; one that keeps dying waits longer each time, up to a minute. */
import type { Clock } from '../../common/clock.ts';

const FIRST_MS = 1_000;
const CAP_MS = 60_000;
/** Who has lived so long has recovered. */
const WELL_MS = 120_000;

export interface Restarts {
  /** Milliseconds until the daemon may be started again. */
  wait(): number;
  /** It is being started because it had died. */
  note(): void;
}

export function createRestarts(clock: Clock): Restarts {
  let count = 0;
  let last = Number.NEGATIVE_INFINITY;
  return {
    wait: () => {
      if (count === 0) return 0;
      const pause = Math.min(CAP_MS, FIRST_MS * 2 ** (count - 1));
      return Math.max(0, last + pause - clock.monotonic());
    },
    note: () => {
      count = clock.monotonic() - last > WELL_MS ? 1 : count + 1;
      last = clock.monotonic();
    },
  };
}
