/** What lies on the disk against what should: by what stat says, and by the bytes where that has changed. */
import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { sha256 } from '../../common/digest.ts';

/** One thing that should lie at a place. `path` is how reports name it. */
export type Expected = { path: string; place: string } & (
  | { kind: 'file'; hash: string; mode: number }
  | { kind: 'link'; target: string }
);

export type Link = Extract<Expected, { kind: 'link' }>;

export interface Disk {
  /**
   * Those that are not as expected. A file whose stat data is that of the last look has the bytes of the last look;
   * with `contents` all bytes are read.
   */
  differing(expected: readonly Expected[], options?: { contents: boolean }): Promise<Expected[]>;
  /** The same for one, at once. */
  differs(expected: Expected): boolean;
}

interface Seen {
  size: number;
  mtimeMs: number;
  ino: number;
  hash: string;
}

/** So many files are looked at before anything else gets its turn. */
const SLICE = 1000;

export const statOf = (place: string): Stats | undefined => {
  try {
    return lstatSync(place, { throwIfNoEntry: false });
  } catch {
    return undefined; // the folder is no folder any more, or closed to us: it is not there
  }
};

export function createDisk(): Disk {
  const seen = new Map<string, Seen>();

  const hashOf = (place: string, { size, mtimeMs, ino }: Stats, contents: boolean): string => {
    const last = seen.get(place);
    const same = last && last.size === size && last.mtimeMs === mtimeMs && last.ino === ino;
    if (same && !contents) return last.hash;
    const hash = hashNow(place);
    seen.set(place, { size, mtimeMs, ino, hash });
    return hash;
  };
  const differs = (expected: Expected, contents = false): boolean => {
    const stat = statOf(expected.place);
    if (stat === undefined) return true;
    if (expected.kind === 'link')
      return !stat.isSymbolicLink() || readlinkSync(expected.place) !== expected.target;
    if (!stat.isFile() || (stat.mode & 0o7777) !== expected.mode) return true;
    return hashOf(expected.place, stat, contents) !== expected.hash;
  };
  /** Places that are not expected any more are forgotten, now and then. */
  const prune = (expected: readonly Expected[]) => {
    if (seen.size <= expected.length * 2 + SLICE) return;
    const places = new Set(expected.map(({ place }) => place));
    for (const place of seen.keys()) if (!places.has(place)) seen.delete(place);
  };
  return {
    differs: (expected) => differs(expected),
    differing: async (expected, { contents } = { contents: false }) => {
      const found: Expected[] = [];
      for (let at = 0; at < expected.length; at += SLICE) {
        if (at > 0) await new Promise(setImmediate);
        for (const one of expected.slice(at, at + SLICE)) if (differs(one, contents)) found.push(one);
      }
      prune(expected);
      return found;
    },
  };
}

function hashNow(place: string): string {
  try {
    return sha256(readFileSync(place));
  } catch {
    return ''; // gone meanwhile, or closed to us: not the bytes that are expected
  }
}
