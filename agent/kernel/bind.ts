/** `bind /data/home /run/evenkeel/nfs/data/home`: a folder is seen at a second place, which is made. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { mountAt } from './mounts.ts';
import { formerOf, type Look, type Thing } from './thing.ts';
import { pathOf, type Words } from './words.ts';

export function parseBind(words: Words): Thing {
  const folder = pathOf(words, 'a folder');
  const point = pathOf(words, 'its second place');
  const found = async (look: Look) => (mountAt(point, look) === undefined ? '' : null);
  return {
    id: `bind ${point}`,
    needs: [folder, point].map((value) => ({ list: 'folders' as const, value })),
    found,
    former: (look) => formerOf(found(look)),
    make: async (hands) => {
      // A folder that we made would hide that the disk on which it should be is missing.
      if (!existsSync(folder))
        throw new Error(`there is no folder ${folder}; make it, or mount the disk that has it`);
      await mkdir(point, { recursive: true });
      await hands.call(['mount', '-i', '--bind', folder, point]);
    },
    undo: async (hands, look, former) => {
      if (former === null && mountAt(point, look) !== undefined)
        await hands.call(['umount', '-i', '-c', '-l', point]);
    },
  };
}
