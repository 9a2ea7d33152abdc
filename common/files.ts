/** The one room that writes files: temp in the same folder, mode, fsync, rename, fsync of the folder. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, mkdir, open, readdir, rename, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Makes a folder's entries durable: names that were made, renamed or removed in it. */
export const syncFolder = (folder: string): Promise<void> => sync(folder);

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder and its parents, each durable. */
export async function makeFolder(folder: string, mode = 0o755): Promise<void> {
  const first = await makeOne(folder, mode);
  if (first !== undefined) await syncFolder(dirname(first));
}

/** One level first: of a disk that takes nothing, a recursive mkdir only says that there is no such folder. */
async function makeOne(folder: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(folder, { mode });
    return folder;
  } catch (err) {
    const { code = '' } = err as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw err;
    return mkdir(folder, { recursive: true, mode });
  }
}

const beside = (path: string) =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);

const leftover = /^\.(?<name>.+)\.[0-9a-f]{12}\.tmp$/;

/** Removes what writers of these names, all of one folder, left half written when they were killed. */
export async function removeLeftovers(folder: string, names: readonly string[]): Promise<void> {
  const entries = await readdir(folder).catch(() => []);
  const left = entries.filter((entry) => names.includes(leftover.exec(entry)?.groups?.name ?? ''));
  for (const entry of left) await unlink(join(folder, entry)).catch(() => undefined);
}

/** Reads a file and nothing else: a pipe or a device in its place might never end. */
export async function readRegular(path: string): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${path} is no file`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

async function fill(handle: FileHandle, data: string | Uint8Array, mode?: number): Promise<void> {
  try {
    // Said again, since the process's umask takes bits away from what open was told.
    if (mode !== undefined) await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file so that a reader, or a power cut at any point, meets the old bytes or the new ones, never a part.
 * The folder must exist. `sync: 'later'` leaves the folder's fsync to the caller, who writes many files.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number; sync?: 'now' | 'later' } = {},
): Promise<void> {
  const temporary = beside(path);
  try {
    await fill(await open(temporary, 'wx', options.mode ?? 0o644), data, options.mode);
    await rename(temporary, path);
  } catch (err) {
    await unlink(temporary).catch(() => undefined);
    throw err;
  }
  if (options.sync !== 'later') await syncFolder(dirname(path));
}

/** Copies a file of any size: its target has the whole of it or is not there. */
export async function copyAtomic(from: string, to: string): Promise<void> {
  const temporary = beside(to);
  try {
    await copyFile(from, temporary);
    await sync(temporary);
    await rename(temporary, to);
  } catch (err) {
    await unlink(temporary).catch(() => undefined);
    throw err;
  }
  await syncFolder(dirname(to));
}

/** Points a link somewhere else: who follows it meanwhile comes to the old place or to the new one. */
export async function linkAtomic(target: string, path: string): Promise<void> {
  const temporary = beside(path);
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
  } catch (err) {
    await unlink(temporary).catch(() => undefined);
    throw err;
  }
  await syncFolder(dirname(path));
}
