/** What may stand in each syntax: the second line of defence, after the schemas, against values that would break out. */
import { shown } from '../../protocol/resource.ts';
import type { TemplateSpec } from '../../protocol/resources/template.ts';

export type Syntax = TemplateSpec['syntax'];

/** Text that is safe as it is, because an escaper or a quoter made it. */
export interface Safe {
  readonly safe: string;
}

export const isSafe = (value: unknown): value is Safe =>
  typeof value === 'object' && value !== null && typeof (value as Safe).safe === 'string';

const controls = '\\u0000-\\u001f\\u007f';
/** A bare word of nginx, Apache and HAProxy: no blank, quote, backslash, comment, variable, brace or semicolon. */
const word = /^(?!~)[A-Za-z0-9._@+~=,:/*?&%-]+$/;

interface Rules {
  /** What may stand as it is, one word where the syntax has words. */
  bareWord: RegExp;
  /** What may stand between the quotes of the syntax, after `escape`. */
  inQuotes: RegExp;
  quote: (text: string) => string;
}

const rules: Record<Syntax, Rules> = {
  nginx: {
    bareWord: word,
    // A dollar is a variable even between quotes, and nginx has no way to escape it.
    inQuotes: new RegExp(`^[^${controls}$]*$`),
    quote: (text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`,
  },
  apache: {
    bareWord: word,
    // A dollar and a brace are a variable even between quotes, and Apache has no way to escape it.
    inQuotes: new RegExp(`^(?!.*\\$\\{)[^${controls}]*$`),
    quote: (text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`,
  },
  haproxy: {
    bareWord: word,
    inQuotes: new RegExp(`^[^${controls}']*$`),
    quote: (text) => `'${text}'`,
  },
  // A comment is ! or #, a variable $, a block { }; quotes are not needed by anything that we write.
  keepalived: {
    bareWord: /^[A-Za-z0-9._@+~=,:/*-]+$/,
    inQuotes: new RegExp(`^[^${controls}"$]*$`),
    quote: (text) => `"${text}"`,
  },
  // Lines of words: a value is one word, whatever the line is about.
  kernel: {
    bareWord: /^[A-Za-z0-9._@+~=,:/*%-]+$/,
    inQuotes: /^[A-Za-z0-9._@+~=,:/*%-]+$/,
    quote: (text) => text,
  },
  plain: {
    bareWord: new RegExp(`^[^${controls}]*$`),
    inQuotes: new RegExp(`^[^${controls}]*$`),
    quote: (text) => JSON.stringify(text),
  },
};

/** @throws RangeError for a value that is no text, number or boolean */
function textOf(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw new RangeError(`${value === undefined ? 'a missing value' : shown(value)} cannot be written`);
}

function allowed(text: string, pattern: RegExp, syntax: Syntax, where: string): string {
  if (pattern.test(text)) return text;
  throw new RangeError(`${shown(text)} may not stand ${where} in ${syntax} syntax`);
}

/** Writes a value as one bare word. @throws RangeError for one that could mean anything else */
export const bare = (value: unknown, syntax: Syntax): string =>
  isSafe(value) ? value.safe : allowed(textOf(value), rules[syntax].bareWord, syntax, 'bare');

/** Writes a value between the quotes of the syntax. @throws RangeError for one that could end or leave them */
export const quoted = (value: unknown, syntax: Syntax): Safe => ({
  safe: rules[syntax].quote(allowed(textOf(value), rules[syntax].inQuotes, syntax, 'between quotes')),
});
