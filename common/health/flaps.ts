/**
 * Flaps: how often a member fell, and how long it must have been well before it is trusted again. Pure.
 *
 *   A fall is the moment at which a probe or a report that counts begins to speak against a member.
 *   The first fall is a failure: the member is back as soon as it is well.
 *   A further fall within ten minutes after it was trusted again is a flap: the member is held until it has been well
 *   for `first`, for twice that after the next flap, and so on up to `cap`.
 *   Ten minutes of trust, or an operator's word, forget it all.
 */
import type { Candidate } from './membership.ts';

export interface HoldDown {
  /** Milliseconds of the first hold; 0 holds nobody. */
  first: number;
  /** No hold is longer. */
  cap: number;
}

export interface Falls {
  /** What speaks against it. */
  against: 'probe' | 'report' | null;
  /** When that began to be so, in the caller's monotonic time. */
  since: number;
  /** Falls without ten minutes of trust between them: 0 none, 1 a failure, more are flaps. */
  count: number;
}

/** What is known of a member at one moment. */
export type Stand = Pick<Candidate, 'operator' | 'probe' | 'opinion'> & {
  /** Whether reports count at all: the lease holds, and they are not set aside. */
  counts: boolean;
};

export const QUIET_MS = 600_000;
/** Doubling more often is beyond every cap. */
const MOST_DOUBLED = 50;

/** One more look at a member; `before` is undefined at the first, which is never a fall. */
export function fallsAfter(before: Falls | undefined, stand: Stand, rules: HoldDown, now: number): Falls {
  const against = againstNow(before, stand);
  if (before === undefined) return { against, since: now, count: 0 };
  const count = isForgotten(before, stand, rules, now) ? 0 : before.count;
  if (against === before.against) return { ...before, count };
  const falls = before.against === null && stand.operator === 'none';
  const since = against !== null && before.against !== null ? before.since : now;
  return { against, since, count: falls ? count + 1 : count };
}

/** Milliseconds for which it is held still, from the moment at which it was well again. */
export const holdLeft = (falls: Falls, rules: HoldDown, now: number): number =>
  falls.against === null ? Math.max(0, falls.since + holdOf(falls.count, rules) - now) : 0;

export const holdOf = (count: number, { first, cap }: HoldDown): number =>
  count < 2 ? 0 : Math.min(cap, first * 2 ** Math.min(MOST_DOUBLED, count - 2));

/** A report that does not count any more has not been taken back: that a lease ran out is neither a return nor, later, a fall. */
function againstNow(before: Falls | undefined, { probe, opinion, counts }: Stand): Falls['against'] {
  if (probe === 'down') return 'probe';
  if (counts) return opinion === 'down' ? 'report' : null;
  return before?.against === 'report' ? 'report' : null;
}

const isForgotten = (before: Falls, { operator }: Stand, rules: HoldDown, now: number): boolean =>
  operator !== 'none' ||
  (before.against === null && now >= before.since + holdOf(before.count, rules) + QUIET_MS);
