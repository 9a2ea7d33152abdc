/** Durations and sizes as people write them, turned into numbers. */

const DURATION: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE: Record<string, number> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const parse = (text: string, table: Record<string, number>): number => {
  const match = /^([0-9]+)([a-z]+)$/.exec(text);
  const unit = table[match?.[2] ?? ''];
  if (!match || unit === undefined)
    throw new RangeError(`not a number with one of the units ${Object.keys(table).join(', ')}: ${text}`);
  return Number(match[1]) * unit;
};

/** Milliseconds of a duration such as `500ms`, `30s`, `5m`. Has passed its schema before. */
export const milliseconds = (duration: string): number => parse(duration, DURATION);

/** Bytes of a size such as `32m`. */
export const bytes = (size: string): number => parse(size, SIZE);
