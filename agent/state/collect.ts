/** Collection: of trees that were active once, the newest few stay for a way back; what only older ones used is removed. */
import { readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { statOf } from './disk.ts';
import { PLAIN, type Trees } from './trees.ts';

const KEPT = 3;
/** Looked for only when so many more have come together: reading manifests costs more than keeping a few files. */
const SLACK = 3;

/**
 * Only where a tree is active: then `current` does not lead to plain files.
 * @param inUse trees that stay whatever their age
 */
export async function collect(trees: Trees, inUse: readonly (string | null)[]): Promise<void> {
  const folder = join(trees.folder, 'trees');
  // Of a box that had left and is a node again.
  await rm(join(trees.folder, PLAIN), { recursive: true, force: true });
  const names = await readdir(folder);
  if (names.length <= KEPT + SLACK) return;
  const dated = names.map((name) => ({ name, at: ageOf(join(folder, name)) }));
  const newest = dated.sort((a, b) => b.at - a.at).slice(0, KEPT);
  const kept = new Set([...inUse, ...newest.map(({ name }) => name)]);
  for (const name of names)
    if (!kept.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  await removeUnused(
    trees,
    [...kept].filter((name) => name !== null),
  );
}

/** What is no tree, or went meanwhile, is older than any. */
function ageOf(place: string): number {
  const stat = statOf(place);
  return stat?.isDirectory() ? stat.mtimeMs : 0;
}

async function removeUnused(trees: Trees, digests: string[]): Promise<void> {
  const used = new Set<string>();
  for (const digest of digests)
    for (const file of (await trees.manifest(digest))?.files ?? []) used.add(trees.place(file, digest));
  const folder = join(trees.folder, 'files');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const place = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !used.has(place)) await unlink(place);
  }
}
