/** Truce: who keeps changing a file would have it mended, and the daemon reloaded, several times a second. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { createGather } from '../../common/loop.ts';

export interface Truce {
  /** A fight over a unit's files was raised. */
  fight(unit: string): void;
  /** Something happened to a unit's files: it is looked at now, or at the end of the truce. */
  touched(unit: string): void;
  stop(): Promise<void>;
}

/** How often the watch is heeded while somebody fights, and how long a fight is remembered for that. */
const TRUCE_MS = 10_000;
const FEUD_MS = 60_000;

/** @param put has a unit looked at now */
export function createTruce({
  put,
  clock,
  log,
}: {
  put: (unit: string) => void;
  clock: Clock;
  log: Log;
}): Truce {
  const foughtAt = new Map<string, number>();
  const later = createGather({ clock, log, quiet: TRUCE_MS, atMost: TRUCE_MS, call: put });
  const isFought = (unit: string) =>
    clock.monotonic() - (foughtAt.get(unit) ?? Number.NEGATIVE_INFINITY) < FEUD_MS;
  return {
    fight: (unit) => foughtAt.set(unit, clock.monotonic()),
    touched: (unit) => (isFought(unit) ? later.put(unit) : put(unit)),
    stop: later.stop,
  };
}
