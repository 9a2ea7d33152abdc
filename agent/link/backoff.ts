/** How long to wait before the next try to reach the manager: short at first, since most absences are restarts; then ever longer. */

/** About six seconds of short waits, each at most half a second: a port that nobody holds refuses at hardly any cost. */
const SHORT = { tries: 16, first: 250, cap: 500 };
const CAP = 30_000;

/** @param chance from 0 to 1: spreads the nodes that lost their connection in one moment over the second half of the wait */
export function waitBefore(failures: number, chance: number): number {
  const longest =
    failures < SHORT.tries
      ? Math.min(SHORT.cap, SHORT.first * 2 ** failures)
      : Math.min(CAP, SHORT.cap * 2 ** (failures - SHORT.tries + 1));
  return longest * (0.5 + chance / 2);
}
