/** Mass failure: when more than half of a pool fails by reports within a few seconds, the reports are doubted, not the pool. */

export interface MassFailure {
  /** When each member that is reported down now was first so, in the caller's time. */
  fellAt: ReadonlyMap<string, number>;
  /** Reports are set aside. */
  tripped: boolean;
}

export const noFailure: MassFailure = { fellAt: new Map(), tripped: false };

/** How close together failures must be to count as one. */
export const MASS_WINDOW_MS = 5000;

/**
 * One more look at who is reported down, of `size` members that no operator has taken out.
 * It trips when more than half fell within the window, and lets go when no more than half are reported down.
 */
export function massFailure(
  before: MassFailure,
  reportedDown: readonly string[],
  size: number,
  now: number,
  window = MASS_WINDOW_MS,
): MassFailure {
  const fellAt = new Map(reportedDown.map((node) => [node, before.fellAt.get(node) ?? now]));
  const isMost = (count: number) => count * 2 > size;
  const times = [...fellAt.values()];
  const since = (first: number) => times.filter((at) => at >= first && at <= first + window).length;
  const together = times.some((first) => isMost(since(first)));
  return { fellAt, tripped: isMost(times.length) && (before.tripped || together) };
}
