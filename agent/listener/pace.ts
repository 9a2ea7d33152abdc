/** Pace: how often one address may ask, so that nobody keeps a node busy; bounded, however many addresses come. */
import type { Clock } from '../../common/clock.ts';

export interface PaceOptions {
  clock: Pick<Clock, 'monotonic'>;
  /** Questions a second that last, and how many may come at once. */
  perSecond: number;
  burst: number;
  /** How many addresses are remembered; the one that asked longest ago gives way. */
  most?: number;
}

interface Bucket {
  left: number;
  at: number;
}

/** Whether the address may ask once more, now. */
export function createPace({ clock, perSecond, burst, most = 1024 }: PaceOptions): (from: string) => boolean {
  const buckets = new Map<string, Bucket>();
  return (from) => {
    const now = clock.monotonic();
    const known = buckets.get(from) ?? { left: burst, at: now };
    const left = Math.min(burst, known.left + ((now - known.at) / 1000) * perSecond);
    buckets.delete(from);
    buckets.set(from, { left: Math.max(0, left - 1), at: now });
    const oldest = buckets.keys().next();
    if (buckets.size > most && !oldest.done) buckets.delete(oldest.value);
    return left >= 1;
  };
}
