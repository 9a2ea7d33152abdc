/** Fights: a path that is corrected four times within ten minutes has somebody else who wants it otherwise. */
import type { Clock } from '../../common/clock.ts';

const WINDOW_MS = 10 * 60_000;
const TOO_OFTEN = 4;
const MOST_PATHS = 10_000;

export interface Fights {
  /** A path was corrected. Says how often, when a person has to be told. */
  note(path: string): number | null;
}

export function createFights(clock: Clock): Fights {
  const corrected = new Map<string, number[]>();
  return {
    note: (path) => {
      const now = clock.monotonic();
      const times = [...(corrected.get(path) ?? []).filter((at) => now - at < WINDOW_MS), now];
      // Put last, so that the first one is the one that was quiet for longest.
      corrected.delete(path);
      const [quietest] = corrected.keys();
      if (corrected.size >= MOST_PATHS && quietest !== undefined) corrected.delete(quietest);
      if (times.length < TOO_OFTEN) {
        corrected.set(path, times);
        return null;
      }
      return times.length;
    },
  };
}
