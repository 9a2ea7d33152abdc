/** The ramp: how far slow start has brought a member that came in. Pure. */

/** In tenths, so that a balancer is written to ten times in a ramp and not at every look. */
const STEPS = 10;

/** From a tenth to 1. Absent is long ago. */
export const factorOf = (upFor: number | undefined, slowStart: number): number =>
  upFor === undefined || upFor >= slowStart
    ? 1
    : Math.max(1, Math.floor((STEPS * Math.max(0, upFor)) / slowStart)) / STEPS;

/**
 * The weight that a share of a member's weight comes to beside the others: who has come furthest has its declared
 * weight, and the others what their factors are of its. So members that begin together keep their proportions
 * whatever their weights are, and a weight that was declared is never rounded to none.
 */
export const weightOf = (declared: number, factor: number, furthest: number): number =>
  declared === 0 ? 0 : Math.max(1, Math.round((declared * factor) / furthest));

/** The weight with which another server gets `share`, from 0 to below 1, beside members of so much weight together. */
export const weightForShare = (share: number, together: number): number =>
  share <= 0 ? 0 : Math.max(1, Math.round((together * share) / (1 - share)));
