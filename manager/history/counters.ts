/** Counters: what was added between two readings, and how much of it in a second. Pure. */

/** Numbers that only rise; null where the balancer does not count them. */
export interface Counted {
  connections: number;
  packetsIn: number | null;
  packetsOut: number | null;
  bytesIn: number;
  bytesOut: number;
}

/** What was seen of one member, by one director, in some time. */
export interface Sample extends Counted {
  /** Milliseconds that the counts are of. */
  ms: number;
  /** How many readings, and the sum of the connections that were open at them, and the most. */
  readings: number;
  active: number;
  peak: number;
}

export const counted = ['connections', 'packetsIn', 'packetsOut', 'bytesIn', 'bytesOut'] as const;

const each = (value: (name: (typeof counted)[number]) => number | null): Counted =>
  Object.fromEntries(counted.map((name) => [name, value(name)])) as unknown as Counted;

export const zero: Counted = each(() => 0);

/**
 * What was added since. When any counter fell they all began anew, with the balancer or with the member, and what they
 * show now was added since then: never less than nothing, and no more than was counted.
 */
export function increase(before: Counted, now: Counted): Counted {
  const began = counted.some((name) => (now[name] ?? 0) < (before[name] ?? 0));
  return each((name) => {
    const [earlier, later] = [began ? 0 : before[name], now[name]];
    return earlier === null || later === null ? null : later - earlier;
  });
}

const plus = (a: number | null, b: number | null): number | null =>
  a === null && b === null ? null : (a ?? 0) + (b ?? 0);

export const sum = (a: Counted, b: Counted): Counted => each((name) => plus(a[name], b[name]));

/** The ports of one member, read at the same moment. */
export const beside = (a: Sample, b: Sample): Sample => ({
  ...sum(a, b),
  ms: Math.max(a.ms, b.ms),
  readings: Math.max(a.readings, b.readings),
  active: a.active + b.active,
  peak: a.peak + b.peak,
});

/** The same member a little later. */
export const after = (a: Sample, b: Sample): Sample => ({
  ...sum(a, b),
  ms: a.ms + b.ms,
  readings: a.readings + b.readings,
  active: a.active + b.active,
  peak: Math.max(a.peak, b.peak),
});

export const perSecond = (added: Counted, ms: number): Counted =>
  each((name) => {
    const value = added[name];
    return value === null || ms === 0 ? (value === null ? null : 0) : round((value * 1000) / ms);
  });

const round = (value: number): number => Math.round(value * 1000) / 1000;
