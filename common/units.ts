/** Durations and sizes as people write them, turned into numbers, and sizes as they read them. */

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

const NAMES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `12 B`, `1.5 KiB`, `120 MiB`. */
export function sizeText(size: number): string {
  const power = size < 1 ? 0 : Math.min(NAMES.length - 1, Math.floor(Math.log2(size) / 10));
  const value = size / 1024 ** power;
  return `${power === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${NAMES[power]}`;
}
