/** Figures from many measurements: median, percentiles, and how they are shown. */

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** The value below which this share of the values lies; of few values the largest. Share is between 0 and 1. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('no values were measured');
  const rank = Math.ceil(share * values.length);
  return sorted(values)[Math.max(0, rank - 1)] as number;
}

export function median(values: readonly number[]): number {
  const middle = values.length / 2;
  if (values.length % 2 === 1) return percentile(values, 0.5);
  const inOrder = sorted(values);
  if (inOrder.length === 0) throw new RangeError('no values were measured');
  return ((inOrder[middle - 1] as number) + (inOrder[middle] as number)) / 2;
}

/** Three significant digits, without an exponent. */
export function shown(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}
