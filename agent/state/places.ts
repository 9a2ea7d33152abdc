/** Fixed places outside the state folder: only where root allows it, and what stood there comes back when the link goes. */
import { existsSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { sha256 } from '../../common/digest.ts';
import { linkAtomic, makeFolder, writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Link } from './disk.ts';

export interface Places {
  /** @throws EvenkeelError executable-refused when a place is outside what root allows */
  check(links: readonly { place: string }[]): void;
  /** Puts a link where it belongs; what stood there before the first time is kept. */
  put(link: Link): Promise<void>;
  /** Takes the link away and puts back what stood there. */
  remove(link: Link): Promise<void>;
}

/** What stood at a place: a file by its bytes, or a link by where it led. */
type Kept = { place: string } & ({ hash: string; mode: number } | { target: string });

/** @param allowed folders; `backup` keeps what stood there, each content once; links into `own` are ours */
export function createPlaces({
  allowed,
  backup,
  own,
}: {
  allowed: readonly string[];
  backup: string;
  own: string;
}): Places {
  const noteOf = (place: string) => join(backup, `${sha256(place).slice(0, 16)}.json`);
  const bytesOf = (hash: string) => join(backup, hash);

  const keep = async (place: string) => {
    if (existsSync(noteOf(place))) return;
    const stat = await lstat(place).catch(() => undefined);
    if (stat === undefined || (stat.isSymbolicLink() && (await readlink(place)).startsWith(own + sep)))
      return;
    await mkdir(backup, { recursive: true, mode: 0o700 });
    await writeFileAtomic(noteOf(place), JSON.stringify(await describe(place, stat)));
  };
  const describe = async (place: string, stat: Awaited<ReturnType<typeof lstat>>): Promise<Kept> => {
    if (stat.isSymbolicLink()) return { place, target: await readlink(place) };
    if (!stat.isFile()) throw new EvenkeelError('write-failed', `${place} is neither a file nor a link`);
    const bytes = await readFile(place);
    const hash = sha256(bytes);
    await writeFileAtomic(bytesOf(hash), bytes, { mode: 0o600 });
    return { place, hash, mode: Number(stat.mode) & 0o7777 };
  };
  const restore = async (place: string) => {
    if (!existsSync(noteOf(place))) return;
    const kept = JSON.parse(await readFile(noteOf(place), 'utf8')) as Kept;
    if ('target' in kept) await symlink(kept.target, place);
    else {
      await copyFile(bytesOf(kept.hash), place);
      await chmod(place, kept.mode);
    }
    await rm(noteOf(place));
  };
  return {
    check: (links) => {
      const stranger = links.find(({ place }) => !allowed.some((folder) => place.startsWith(folder + sep)));
      if (stranger)
        throw new EvenkeelError(
          'executable-refused',
          `${stranger.place} is in none of the folders in which this box allows links (places in agent.json)`,
        );
    },
    put: async ({ place, target }) => {
      const now = await readlink(place).catch(() => null);
      if (now === target) return;
      await makeFolder(dirname(place));
      await keep(place);
      if ((await lstat(place).catch(() => null))?.isDirectory())
        throw new EvenkeelError('write-failed', `${place} is a folder`);
      await linkAtomic(target, place);
    },
    remove: async ({ place, target }) => {
      if ((await readlink(place).catch(() => null)) !== target) return;
      await rm(place);
      await restore(place);
    },
  };
}
