/** One process for a folder: a file that names its holder, and counts only while that very process lives. */
import { randomBytes } from 'node:crypto';
import { link, readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from './files.ts';
import { processOf, provenIn } from './processes.ts';

/**
 * Takes the lock of an existing folder for one use; returns its release, or nothing when another process holds it.
 *
 * The files have numbers, `agent.lock.7`, and the highest counts. A lock is never taken away from a dead holder: of all
 * who find it dead, one alone makes the next number. Numbers never fall, so who looked too long ago has made one that
 * is not the highest; it takes that back and looks again.
 */
export async function takeLock(use: string, folder: string): Promise<(() => Promise<void>) | undefined> {
  const stem = `${use}.lock.`;
  const pathOf = (end: number | string) => join(folder, `${stem}${end}`);
  const ends = async () =>
    (await readdir(folder)).filter((name) => name.startsWith(stem)).map((name) => name.slice(stem.length));
  const highest = async () => Math.max(0, ...(await ends()).filter((end) => /^\d+$/.test(end)).map(Number));
  for (;;) {
    const last = await highest();
    if (isHeld(pathOf(last))) return undefined;
    const number = last + 1;
    if (!(await create(pathOf(number), pathOf(`new-${randomBytes(6).toString('hex')}`)))) continue;
    const isMine = (await highest()) === number;
    const over = isMine ? (await ends()).map(pathOf).filter((path) => !isHeld(path)) : [pathOf(number)];
    for (const path of over) await rm(path, { force: true });
    if (isMine) return () => release(pathOf(number));
  }
}

/** The process that holds it, if one does. */
export async function holderOf(use: string, folder: string): Promise<number | undefined> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(`${use}.lock.`));
  return names.flatMap((name) => holderIn(join(folder, name)) ?? [])[0];
}

const isHeld = (path: string): boolean => holderIn(path) !== undefined;

function holderIn(path: string): number | undefined {
  try {
    const [pid, started] = provenIn(path);
    return pid !== null && processOf(pid)?.started === started ? pid : undefined;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // another starter took its file back meanwhile
    throw err;
  }
}

/** Makes the file with all that it says, or finds that it is there: nobody meets half a one. */
async function create(path: string, draft: string): Promise<boolean> {
  try {
    await writeFileAtomic(draft, `${process.pid} ${processOf(process.pid)?.started}\n`, { mode: 0o600 });
    await link(draft, path);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
    return false;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Empties the file and leaves its number standing. */
async function release(path: string): Promise<void> {
  try {
    await truncate(path, 0);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err; // a hand took it away: free all the same
  }
}
