/** The functions that templates may call: few, pure, and none of them knows a daemon. */
import { shown } from '../../protocol/resource.ts';
import { bytes } from '../units.ts';
import { bare, quoted, type Safe, type Syntax } from './escape.ts';
import { markOf } from './marks.ts';

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

/** `spec.roles` of an item; undefined where it has none. */
const fieldOf = (item: unknown, field: string): unknown =>
  field.split('.').reduce<unknown>((value, name) => {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
    return isThere ? (value as Record<string, unknown>)[name] : undefined;
  }, item);

/** Items whose field is the value, or is a list that has it; without a value, those that have the field. */
function where(items: unknown, field: unknown, ...wanted: unknown[]): unknown[] {
  return listOf(items).filter((item) => {
    const value = fieldOf(item, textOf(field));
    if (wanted.length === 0) return value !== undefined;
    return Array.isArray(value) ? value.includes(wanted[0]) : value === wanted[0];
  });
}

const familyOf = (address: string): 'v4' | 'v6' => (address.includes(':') ? 'v6' : 'v4');

/** The addresses of one family that items have in a field: each once, sorted. */
function addresses(items: unknown, field: unknown, family: unknown): string[] {
  const all = listOf(items).map((item) => fieldOf(item, textOf(field)));
  const found = all.filter((value) => typeof value === 'string' && familyOf(value) === family);
  return [...new Set(found as string[])].sort();
}

/** 24 → 255.255.255.0 */
function netmask(length: number): string {
  const bits = '1'.repeat(length).padEnd(32, '0');
  return [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2)).join('.');
}

const isWild = (name: unknown): boolean => textOf(name).startsWith('*');

/** An expression that fits this text alone: every byte that could mean more is written by its number. */
const regexOf = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) => [byte, String.fromCharCode(byte)] as const)
    .map(([byte, char]) => (/[A-Za-z0-9/_-]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, '0')}`))
    .join('');

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
  where,
  addresses,
  v6: (value) => familyOf(textOf(value)) === 'v6',
  netmask: (length) => netmask(numberOf(length)),
  /** By which the kernel knows a service of several ports. */
  mark: (service) => markOf(textOf(service)),
  /** Of names, those that stand for many, as `*.example.org` does, and all others. */
  wild: (list) => listOf(list).filter(isWild),
  exact: (list) => listOf(list).filter((name) => !isWild(name)),
  /** `32m` → 33554432 */
  bytes: (size) => bytes(textOf(size)),
  lower: (value) => textOf(value).toLowerCase(),
  /** A URL's percent-encoded text as a daemon compares it. */
  decode: (value) => decodeURIComponent(textOf(value)),
  quote: (value) => quoted(value, syntax),
  split: (text, at) => textOf(text).split(textOf(at)),
  regex: (text): Safe => ({ safe: regexOf(textOf(text)) }),
  /** The items of a list, each escaped, with the template's own text between. */
  join: (list, between): Safe => ({
    safe: listOf(list)
      .map((value) => bare(value, syntax))
      .join(textOf(between)),
  }),
});

/** Those that may be asked about a field that is not there. */
export const tolerant: ReadonlySet<string> = new Set(['if', 'unless', 'and', 'or', 'not']);
