/** Backup: a consistent copy of the whole store in one file, taken while writes go on. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../common/files.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Db } from './db.ts';

/** @param file must not exist. It holds secrets' hashes, every declaration, and the secret values of commands that are open: the caller keeps it safe */
export async function backup(db: Db, file: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((cause: unknown) => {
    throw new EvenkeelError('store-failed', `the backup ${file} cannot be made`, { cause });
  });
  try {
    // SQLite takes an empty file for a new one, so the copy has the mode that was set here.
    await db.copyTo(file);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(file));
}
