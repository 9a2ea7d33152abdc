/** The lines of a kernel file: one line asks for one thing, `#` begins a comment, and every mistake is named at once. */
import { MOST_KERNEL_LINES } from '../../protocol/resources/policy.ts';
import { parseAddress } from './address.ts';
import { parseBind } from './bind.ts';
import { parseCard } from './card.ts';
import { parseExport } from './export.ts';
import { parseLink } from './link.ts';
import { parseMark } from './mark.ts';
import { parseModule } from './module.ts';
import { parseMount } from './mount.ts';
import { parseNfsd } from './nfsd.ts';
import { parseQuota } from './quota.ts';
import { parseRoute } from './route.ts';
import { parseRule } from './rule.ts';
import { parseSymlink } from './symlink.ts';
import { parseSysctl } from './sysctl.ts';
import type { Thing } from './thing.ts';
import { createWords, WordError, type Words } from './words.ts';

/** The grammar: the first word says the kind. */
const kinds: Record<string, (words: Words) => Thing> = {
  module: parseModule,
  sysctl: parseSysctl,
  card: parseCard,
  link: parseLink,
  address: parseAddress,
  route: parseRoute,
  rule: parseRule,
  mark: parseMark,
  bind: parseBind,
  export: parseExport,
  nfsd: parseNfsd,
  mount: parseMount,
  symlink: parseSymlink,
  quota: parseQuota,
};

export interface Line {
  /** Its words with one blank between them. */
  text: string;
  thing: Thing;
}

export interface Parsed {
  /** In the order of the file, each thing once. */
  lines: Line[];
  /** `3: "eht0" stands where dev should`; none when all is well. */
  problems: string[];
}

/** @throws WordError naming the word that does not fit */
export function parseLine(text: string): Line {
  const [first = '', ...rest] = text.split(/[ \t]+/);
  if (!Object.hasOwn(kinds, first))
    throw new WordError(`${JSON.stringify(first)} is none of ${Object.keys(kinds).join(', ')}`);
  const words = createWords(rest);
  const thing = (kinds[first] as (words: Words) => Thing)(words);
  words.end();
  return { text: [first, ...rest].join(' '), thing };
}

export function parseLines(text: string): Parsed {
  const byId = new Map<string, Line & { at: number }>();
  const problems: string[] = [];
  const given = text.split('\n');
  const most = MOST_KERNEL_LINES;
  if (given.length > most) problems.push(`${most + 1}: there are more than ${most} lines`);
  for (const [index, whole] of given.slice(0, most).entries()) {
    const part = whole.replace(/(^|[ \t])#.*$/, '').replace(/^[ \t]+|[ \t]+$/g, '');
    if (part === '') continue;
    try {
      take(parseLine(part), index + 1);
    } catch (err) {
      if (!(err instanceof WordError)) throw err;
      problems.push(`${index + 1}: ${err.message}`);
    }
  }
  function take(line: Line, at: number): void {
    const before = byId.get(line.thing.id);
    if (before === undefined) byId.set(line.thing.id, { ...line, at });
    else if (before.text !== line.text)
      throw new WordError(`${JSON.stringify(line.text)} contradicts line ${before.at}: ${before.text}`);
  }
  return { lines: [...byId.values()].map(({ text, thing }) => ({ text, thing })), problems };
}
