/** `symlink /home /chroot/home`: a path leads elsewhere. A folder with something in it is never put aside. */
import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { linkAtomic } from '../../common/files.ts';
import type { Thing } from './thing.ts';
import { pathOf, type Words } from './words.ts';

/** What is at a path: a link by where it leads, a folder, something else, or nothing. */
function presentAt(path: string): string | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (stat.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  return stat.isDirectory() ? 'folder' : 'file';
}

export function parseSymlink(words: Words): Thing {
  const path = pathOf(words, 'the path of a link');
  const target = pathOf(words, 'the path that it leads to');
  const right = `link ${target}`;
  return {
    id: `symlink ${path}`,
    needs: [path, target].map((value) => ({ list: 'folders' as const, value })),
    found: async () => {
      const now = presentAt(path);
      if (now === right) return null;
      return now === null ? '' : `at ${path} a ${now}`;
    },
    former: async () => presentAt(path),
    make: async () => {
      const now = presentAt(path);
      if (now === 'file') throw new Error(`${path} is a file; take it away`);
      if (now === 'folder') {
        if (readdirSync(path).length > 0)
          throw new Error(
            `${path} is a folder with something in it; move that to ${target}, and remove ${path}`,
          );
        rmdirSync(path);
      }
      await linkAtomic(target, path);
    },
    undo: async (_hands, _look, former) => {
      if (former === right || presentAt(path) !== right) return;
      unlinkSync(path);
      if (former === 'folder') mkdirSync(path);
      if (former?.startsWith('link ')) symlinkSync(former.slice('link '.length), path);
    },
  };
}
