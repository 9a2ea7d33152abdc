/**
 * The judge: turns single samples of a check into a steady verdict, by counting how many in a row agree.
 *
 *                fall bad in a row
 *   unknown ───────────────────────► down ◄──┐
 *      │                              │      │ fall bad in a row
 *      │ rise good in a row           │ rise good in a row
 *      └───────────────────────► up ◄─┘──────┘
 *
 * Nothing leads back to unknown: that is only where no verdict was ever reached.
 */

export type Verdict = 'unknown' | 'up' | 'down';

export interface Judgement {
  state: Verdict;
  /** How many of the latest samples in a row speak against the state; `unknown` is spoken against by both kinds. */
  good: number;
  bad: number;
  /** When the state began, in the caller's time. */
  since: number;
}

export interface Hysteresis {
  fall: number;
  rise: number;
}

/** Where judging begins. `down` is for what must first prove itself, such as a member that is new to its pool. */
export const unjudged = (now: number, state: Verdict = 'unknown'): Judgement => ({
  state,
  good: 0,
  bad: 0,
  since: now,
});

/** One more sample: `true` is good. A sample that agrees with the state wipes out what was counted against it. */
export function judge(
  before: Judgement,
  sample: boolean,
  { fall, rise }: Hysteresis,
  now: number,
): Judgement {
  const good = sample && before.state !== 'up' ? before.good + 1 : 0;
  const bad = !sample && before.state !== 'down' ? before.bad + 1 : 0;
  if (good >= rise) return unjudged(now, 'up');
  if (bad >= fall) return unjudged(now, 'down');
  return { state: before.state, good, bad, since: before.since };
}
