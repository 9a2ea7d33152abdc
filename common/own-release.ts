/** The release that this process runs from: its folder holds `RELEASE`, `bin/` and `lib/` (docs/adr/0008). */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface OwnRelease {
  /** Such as `0.1.0-3f2a91bc0d7e`, with `-agent` where it is the part for nodes. */
  id: string;
  folder: string;
}

/** @param program what runs, `<release>/lib/<name>.js`; undefined is returned for a checkout */
export function ownRelease(program = process.argv[1] ?? ''): OwnRelease | undefined {
  try {
    const lib = dirname(realpathSync(program));
    if (basename(lib) !== 'lib') return undefined;
    const folder = dirname(lib);
    return { id: readFileSync(join(folder, 'RELEASE'), 'utf8').trim(), folder };
  } catch {
    return undefined; // no release has no such file
  }
}

/** A manager's box has the whole of a release, a node the agent's part: they are the same release. */
export const sameRelease = (a: string, b: string): boolean => wholeOf(a) === wholeOf(b);

export const wholeOf = (id: string): string => id.replace(/-agent$/, '');
