/** Parting: a unit whose role the node has lost serves on until directors have had the time to take it out of their pools. */
import type { Clock } from '../../common/clock.ts';

export interface Parting {
  /** Milliseconds for which it stays still; they begin with the first call. */
  wait(unit: string): number;
  /** It is wanted again, or gone. */
  forget(unit: string): void;
}

/** Directors follow within a second or two; a busy one has as long again. */
const GRACE_MS = 5_000;

export function createParting(clock: Clock): Parting {
  const since = new Map<string, number>();
  return {
    wait: (unit) => {
      const begun = since.get(unit) ?? clock.monotonic();
      since.set(unit, begun);
      return Math.max(0, begun + GRACE_MS - clock.monotonic());
    },
    forget: (unit) => {
      since.delete(unit);
    },
  };
}
