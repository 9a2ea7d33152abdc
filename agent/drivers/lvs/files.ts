/**
 * Tracked files: how keepalived is told who is in, and with what weight, without a reload. Two for each member of each
 * service: `web@n1.down` is 0 or 1, `web@n1.weight` is what its weight differs from 100 by.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../common/clock.ts';
import { writeFileAtomic } from '../../../common/files.ts';
import { makeDirectory } from '../folders.ts';
import type { Entry } from './structure.ts';

/** What keepalived gives each member; the second file holds the difference. */
const WEIGHT = 100;

export interface Told {
  down: boolean;
  weight: number;
}

export interface TrackedFiles {
  /** What keepalived is told of a member: to it a file that is missing or makes no sense is 0. Null where there is none. */
  read(member: string): Told | null;
  write(member: string, told: Told): Promise<void>;
  /** Writes what is missing, before keepalived loads, and takes away what has long been nobody's. */
  fill(entries: readonly Entry[]): Promise<void>;
  /** Takes all of them away. */
  clear(): void;
}

export const memberIn = ({ service }: Pick<Entry, 'service'>, node: string): string => `${service}@${node}`;

/** Not at once: until keepalived has loaded, it reads a file that is gone as up. */
const KEPT_MS = 60_000;
const ours = /^(?<member>[^@/]+@[^@/]+)\.(?:down|weight)$/;

export function createTrackedFiles({ folder, clock }: { folder: string; clock: Clock }): TrackedFiles {
  const nobodys = new Map<string, number>();
  const numberIn = (name: string): number | null => {
    try {
      return Number.parseInt(readFileSync(join(folder, name), 'utf8'), 10) || 0;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw err;
    }
  };
  const read = (member: string): Told | null => {
    const [down, weight] = [numberIn(`${member}.down`), numberIn(`${member}.weight`)];
    return down === null && weight === null
      ? null
      : { down: down !== null && down !== 0, weight: WEIGHT + (weight ?? 0) };
  };
  const put = async (name: string, value: number) => {
    if (numberIn(name) !== value) await writeFileAtomic(join(folder, name), `${value}\n`);
  };
  const write = async (member: string, { down, weight }: Told) => {
    // The weight first: who comes in comes in with his own.
    await put(`${member}.weight`, weight - WEIGHT);
    await put(`${member}.down`, down ? 1 : 0);
  };
  const names = () => (existsSync(folder) ? readdirSync(folder).filter((name) => ours.test(name)) : []);
  const sweep = (wanted: ReadonlySet<string>) => {
    for (const name of names()) {
      const isWanted = wanted.has(ours.exec(name)?.groups?.member ?? '');
      if (isWanted) nobodys.delete(name);
      else if (!nobodys.has(name)) nobodys.set(name, clock.monotonic());
      else if (clock.monotonic() - (nobodys.get(name) ?? 0) >= KEPT_MS) {
        rmSync(join(folder, name), { force: true });
        nobodys.delete(name);
      }
    }
  };
  return {
    read,
    write,
    fill: async (entries) => {
      await makeDirectory({ path: folder, mode: 0o700 });
      const known = new Set(names().map((name) => name.slice(0, name.indexOf('@'))));
      const wanted = new Set<string>();
      for (const entry of entries)
        for (const { node, weight } of entry.members) {
          const member = memberIn(entry, node);
          wanted.add(member);
          // With nothing known of the whole service keepalived's own checks decide who begins; a new member waits.
          if (read(member) === null) await write(member, { down: known.has(entry.service), weight });
        }
      sweep(wanted);
    },
    clear: () => {
      for (const name of names()) rmSync(join(folder, name), { force: true });
    },
  };
}
