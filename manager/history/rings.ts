/** Rings: which slot of which ring a moment falls into. A slot is written over when its ring comes round. Pure. */

export interface Ring {
  step: '10s' | '5m' | '1h';
  /** Milliseconds of one slot. */
  ms: number;
  slots: number;
}

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const ring = (step: Ring['step'], ms: number, reach: number): Ring => ({ step, ms, slots: reach / ms });

/** The finest first: six hours, thirty days, two years. */
export const rings: readonly Ring[] = [
  ring('10s', 10_000, 6 * HOUR),
  ring('5m', 5 * MINUTE, 30 * DAY),
  ring('1h', HOUR, 730 * DAY),
];

export interface Place {
  slot: number;
  /** How often the ring has come round: what lies in the slot from another lap is of another time. */
  lap: number;
}

export const placeOf = ({ ms, slots }: Ring, at: number): Place => {
  const bucket = Math.floor(at / ms);
  return { slot: bucket % slots, lap: Math.floor(bucket / slots) };
};

/** When what lies in a place began. */
export const momentOf = ({ ms, slots }: Ring, { slot, lap }: Place): number => (lap * slots + slot) * ms;

/** The places from one moment to another that the ring can still hold, oldest first. */
export function placesBetween(ring: Ring, from: number, to: number, now: number): Place[] {
  const reach = (ring.slots - 1) * ring.ms;
  const first = Math.floor(Math.max(from, now - reach) / ring.ms);
  const last = Math.floor(Math.min(to, now) / ring.ms);
  const count = Math.max(0, last - first + 1);
  return Array.from({ length: count }, (_, index) => placeOf(ring, (first + index) * ring.ms));
}

/** As many points as a person or a graph can use. */
const ENOUGH = 720;

/** The finest ring that reaches back so far and does not answer with more points than anybody can use. */
export const ringFor = (from: number, to: number, now: number): Ring =>
  rings.find(({ ms, slots }) => from > now - ms * slots && (to - from) / ms <= ENOUGH) ?? coarsest;
const coarsest = rings.at(-1) as Ring;
