/** Delta or snapshot: the one function that decides what an agent gets that asks for changes. Pure. */
import type { PullQuestion } from '../../common/rules.ts';

/**
 * A delta is for an agent that stands at a revision which is known and remembered here; in all other cases, and in
 * doubt, a snapshot is right. Size does not count: a delta has each resource once at most, and nodes refuse a
 * snapshot that takes much away, though all of it was deleted rightly, little by little, while they were not there.
 */
export function decide({ epoch, since, head, floor }: PullQuestion): 'delta' | 'snapshot' {
  if (epoch !== head.epoch) return 'snapshot';
  if (since > head.rev) return 'snapshot';
  return since === 0 || since < floor ? 'snapshot' : 'delta';
}
