/** Owner: what root does in a manager's folder belongs to whom the folder belongs to, or the service could not read it. */
import { lchown, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything below the folder gets its owner. Does nothing for anybody but root. */
export async function giveToOwner(folder: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    // Whoever owns the folder may put a link in the place of a file at any moment: none is followed.
    await lchown(join(entry.parentPath, entry.name), uid, gid);
  }
}
