/** The turn of a node in a rolling run. */
import type { TurnPhase } from '../../protocol/queue.ts';
import type { Before } from '../wellness.ts';

/** How far a run has come with a node. Moments are milliseconds since the epoch. */
export interface Turn {
  phase: TurnPhase;
  /** Since when. */
  since: number;
  /** The node as it was when its turn came. */
  before: Before | null;
  /** Drained by the run, and so by it to be given back. */
  drained: boolean;
  /** The node has been told so: whoever takes that word back from then on is heeded. */
  said: boolean;
  /** Since when it is not heard; null: it is. */
  silent: number | null;
  /** Since when it is well again. */
  well: number | null;
  /** It takes longer than it should: that is a failure, as long as it stands. */
  overdue: boolean;
  /** What it waits for, for people; empty where that is plain. */
  why: string;
}

export const firstTurn = (now: number): Turn => ({
  ...{ phase: 'waits', since: now, before: null, drained: false, said: false },
  ...{ silent: null, well: null, overdue: false, why: '' },
});
