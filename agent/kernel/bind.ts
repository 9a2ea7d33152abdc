/** `bind /data/home /run/evenkeel/nfs/data/home`: a folder is seen at a second place, which is made; another disk's that comes later, anew. */
import { rmdir } from 'node:fs/promises';
import type { Mounted } from '../../common/mounts.ts';
import { messageOf } from '../../protocol/errors.ts';
import { mountAt, mountOver, mountsNow } from './mounts.ts';
import { seenAt } from './places.ts';
import { type Look, THERE, type Thing } from './thing.ts';
import { pathOf, type Words } from './words.ts';

type Spot = Pick<Mounted, 'device' | 'root'>;

/** Which folder of which file system that is, as the kernel would say of it when it is bound. */
function spotOf(folder: string, look: Look): Spot | undefined {
  const over = mountOver(folder, look);
  if (over === undefined) return undefined;
  const below = folder.slice(over.point === '/' ? 0 : over.point.length);
  return { device: over.device, root: `${over.root === '/' ? '' : over.root}${below}` || '/' };
}

const isOne = (a: Spot | undefined, b: Spot) => a?.device === b.device && a.root === b.root;

/** A folder that we made would hide that the disk on which it should be is missing. */
export async function refuseMissing(folder: string, look: Look): Promise<void> {
  if ((await seenAt(folder, look)).kind === 'none')
    throw new Error(`there is no folder ${folder}; make it, or mount the disk that has it`);
}

/** Where the file system was mounted on which the folder was: what both paths end with is below it. */
function pointThen(folder: string, { root }: Spot): string {
  const [names, inside] = [folder, root].map((path) => path.split('/').filter(Boolean).reverse());
  const same = names?.findIndex((name, index) => name !== inside?.[index]) ?? 0;
  const left = same === -1 ? [] : (names ?? []).slice(same);
  return left
    .reverse()
    .map((name) => `/${name}`)
    .join('');
}

/** The folder below a disk that has gone is not what clients should see in its place. */
function refuseLost(folder: string, now: Spot, look: Look): void {
  const then = pointThen(folder, now);
  const over = mountOver(folder, look)?.point ?? '/';
  if (`${over}/`.replace('//', '/').length < `${then}/`.length)
    throw new Error(`nothing is mounted at ${then} any more, and clients see the disk still: mount it again`);
}

export function parseBind(words: Words): Thing {
  const folder = pathOf(words, 'a folder');
  const point = pathOf(words, 'its second place');
  const found = async (look: Look) => {
    const now = mountAt(point, look);
    if (now === undefined) return '';
    return isOne(spotOf(folder, look), now)
      ? null
      : `bind ${now.root} of ${now.source} (${now.device}) ${point}`;
  };
  return {
    id: `bind ${point}`,
    needs: [folder, point].map((value) => ({ list: 'folders' as const, value })),
    concerns: 'storage',
    found,
    former: async (look) => {
      if ((await found(look)) === null) return THERE;
      return (await seenAt(point, look)).kind === 'none' ? null : 'folder';
    },
    make: async (hands, look) => {
      await refuseMissing(folder, look);
      const now = mountAt(point, look);
      if (now !== undefined) refuseLost(folder, now, look);
      // The place is made in the moment of the mount, and another goes over the one that is there: whoever mounts a folder
      // without what is bound there would keep it (measured: a read-only, empty one).
      await hands.call(['mount', '-i', '--bind', '-o', 'X-mount.mkdir', folder, point]);
      // The kernel's file server remembers what was at the place.
      if (now !== undefined) await hands.call(['exportfs', '-f']);
    },
    undo: async (hands, look, former) => {
      if (former === THERE) return;
      const layers = mountsNow(look).filter((one) => one.point === point);
      for (const _ of layers) await hands.call(['umount', '-i', '-c', '-l', point]);
      if (former === null && (await seenAt(point, look)).kind === 'folder')
        await rmdir(point).catch((err: unknown) => hands.warn(`${point} stays: ${messageOf(err)}`));
    },
  };
}
