/** The functions that templates may call: few, pure, and none of them knows a daemon. */
import { shown } from '../../protocol/resource.ts';
import { bare, quoted, type Safe, type Syntax } from './escape.ts';

export type TemplateFunction = (...values: unknown[]) => unknown;

/** As `#if` sees it: nothing, no, zero, an empty text and an empty list are false. */
const isTrue = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : Boolean(value));

function numberOf(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new RangeError(`${shown(value)} is not a number`);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new RangeError(`${shown(value)} is not a text`);
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new RangeError(`${shown(value)} is not a list`);
}

/** The smallest power of two that is not below the value. */
const pow2 = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));

export const vocabulary = (syntax: Syntax): Record<string, TemplateFunction> => ({
  eq: (a, b) => a === b,
  not: (value) => !isTrue(value),
  /** The first false value, else the last: with `#if` a condition, otherwise a choice. */
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  /** The first true value, else the last: `{{or params.listen node.address}}`. */
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  add: (...values) => values.map(numberOf).reduce((sum, value) => sum + value, 0),
  mul: (...values) => values.map(numberOf).reduce((product, value) => product * value, 1),
  max: (...values) => Math.max(...values.map(numberOf)),
  pow2: (value) => pow2(numberOf(value)),
  has: (list, value) => listOf(list).includes(value),
  lower: (value) => textOf(value).toLowerCase(),
  /** A URL's percent-encoded text as a daemon compares it. */
  decode: (value) => decodeURIComponent(textOf(value)),
  quote: (value) => quoted(value, syntax),
  /** The items of a list, each escaped, with the template's own text between. */
  join: (list, between): Safe => ({
    safe: listOf(list)
      .map((value) => bare(value, syntax))
      .join(textOf(between)),
  }),
});

/** Those that may be asked about a field that is not there. */
export const tolerant: ReadonlySet<string> = new Set(['if', 'unless', 'and', 'or', 'not']);
