/** `symlink /home /chroot/home`: a path leads elsewhere. A folder with something in it is never put aside. */
import { mkdirSync, readdirSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { linkAtomic } from '../../common/files.ts';
import { mountOver } from './mounts.ts';
import { refuseLed, seenAt } from './places.ts';
import type { Look, Thing } from './thing.ts';
import { pathOf, type Words } from './words.ts';

/** What is at a path: a link by where it leads, a folder, a file, or nothing. */
async function presentAt(path: string, look: Look): Promise<string | null> {
  const seen = await seenAt(path, look);
  if (seen.kind === 'link') return `link ${seen.target}`;
  return seen.kind === 'none' ? null : seen.kind;
}

/** What follows is done by the agent itself, which a dead file server must not hang. */
function refuseShared(path: string, look: Look): void {
  const over = mountOver(dirname(path), look);
  if (over?.type.startsWith('nfs'))
    throw new Error(
      `${path} lies on ${over.source}, which is mounted at ${over.point}: a link is made on a disk of the box`,
    );
}

export function parseSymlink(words: Words): Thing {
  const path = pathOf(words, 'the path of a link');
  const target = pathOf(words, 'the path that it leads to');
  const right = `link ${target}`;
  return {
    id: `symlink ${path}`,
    concerns: 'storage',
    // What is written by a link to nowhere lies on the box itself.
    relies: ['mount'],
    needs: [path, target].map((value) => ({ list: 'folders' as const, value })),
    // Of the path itself only the folder that it is in: what it leads to is followed by those who read there.
    walks: [dirname(path)],
    found: async (look) => {
      const now = await presentAt(path, look);
      if (now === right) return null;
      return now === null ? '' : `at ${path} a ${now}`;
    },
    former: (look) => presentAt(path, look),
    make: async (_hands, look) => {
      refuseShared(path, look);
      const now = await presentAt(path, look);
      if (now === 'file') throw new Error(`${path} is a file; take it away`);
      if (now === 'folder') {
        if (readdirSync(path).length > 0)
          throw new Error(
            `${path} is a folder with something in it; copy that to where ${target} comes from (its file server), and remove ${path}`,
          );
        rmdirSync(path);
      }
      await linkAtomic(target, path);
    },
    undo: async (_hands, look, former) => {
      if (former === right || (await presentAt(path, look)) !== right) return;
      await refuseLed(dirname(path), look);
      refuseShared(path, look);
      unlinkSync(path);
      if (former === 'folder') mkdirSync(path);
      if (former?.startsWith('link ')) symlinkSync(former.slice('link '.length), path);
    },
  };
}
