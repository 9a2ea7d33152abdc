/** The words of a line, read one after the other; the first that does not fit is named. */
import { isIPv4, isIPv6 } from 'node:net';

export class WordError extends Error {}

const shown = (word: string | undefined) =>
  word === undefined ? 'the end of the line' : JSON.stringify(word);

export interface Words {
  /** The next word, of a shape that `what` names. @throws WordError */
  take(what: string, fits: RegExp | ((word: string) => boolean)): string;
  /** The next word when it is of this shape. */
  maybeTake(fits: RegExp): string | undefined;
  /** The next word when it is this one. */
  maybe(keyword: string): boolean;
  keyword(keyword: string): void;
  oneOf<const T extends string>(words: readonly T[]): T;
  number(what: string, least: number, most: number): number;
  /** @throws WordError when a word is left */
  end(): void;
}

export function createWords(list: readonly string[]): Words {
  const left = [...list];
  const take: Words['take'] = (what, fits) => {
    const [word] = left;
    const isRight = word !== undefined && (fits instanceof RegExp ? fits.test(word) : fits(word));
    if (!isRight) throw new WordError(`${shown(word)} stands where ${what} should`);
    left.shift();
    return word;
  };
  return {
    take,
    maybeTake: (fits) => (left[0] !== undefined && fits.test(left[0]) ? left.shift() : undefined),
    maybe: (keyword) => left[0] === keyword && left.shift() !== undefined,
    keyword: (keyword) => void take(keyword, (word) => word === keyword),
    oneOf: (words) =>
      take(words.join(' or '), (word) =>
        (words as readonly string[]).includes(word),
      ) as (typeof words)[number],
    number: (what, least, most) =>
      Number(
        take(
          `${what} from ${least} to ${most}`,
          (word) => /^(0|[1-9][0-9]{0,9})$/.test(word) && Number(word) >= least && Number(word) <= most,
        ),
      ),
    end: () => {
      if (left.length > 0) throw new WordError(`${shown(left[0])} is one word too many`);
    },
  };
}

// --- the shapes that several kinds share ---------------------------------------------------------------------

export const isAddress = (word: string): boolean => isIPv4(word) || (isIPv6(word) && !word.includes('%'));
export const familyOf = (address: string): '-4' | '-6' => (address.includes(':') ? '-6' : '-4');
export const fullLength = (address: string): number => (address.includes(':') ? 128 : 32);

/** As the kernel writes it: one address has one spelling. */
export const canonical = (address: string): string =>
  address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;

export interface Prefix {
  address: string;
  length: number;
}

/** An address with the length of its prefix. */
export function prefixOf(words: Words, what: string): Prefix {
  const word = words.take(what, (text) => {
    const [address = '', length = '', more] = text.split('/');
    const isLength = /^(0|[1-9][0-9]{0,2})$/.test(length) && Number(length) <= fullLength(address);
    return more === undefined && isAddress(address) && isLength;
  });
  const [address = '', length] = word.split('/');
  return { address: canonical(address), length: Number(length) };
}

export const addressOf = (words: Words, what: string): string => canonical(words.take(what, isAddress));

/** The kernel takes fifteen characters; `.` and `..` would be folders of /proc/sys. */
export const deviceOf = (words: Words): string =>
  words.take('the name of a device', /^(?!\.{1,2}$)[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/);

export const pathOf = (words: Words, what: string): string =>
  words.take(what, /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._@+~=,-]+)+$/);

export const tableOf = (words: Words): number => words.number('the number of a table', 1, 4_294_967_295);
