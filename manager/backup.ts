/** Backups: the store and every key in one encrypted file, made while the manager serves, and opened for a restore. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { makeFolder } from '../common/files.ts';
import type { Log } from '../common/log.ts';
import { messageOf } from '../protocol/errors.ts';
import { filesBelow, pack, unpack } from './backup/archive.ts';
import { seal, unseal } from './backup/seal.ts';

export interface BackupOptions {
  /** Writes a consistent copy of the store to a file that does not exist yet. */
  store: { backup(file: string): Promise<void> };
  /** The folder of the authority, the signing key and every other secret. */
  pki: string;
  log: Log;
}

export interface Backup {
  /** An encrypted copy of everything that a manager is made of, as a stream. */
  stream(passphrase: string): Readable;
}

/** The paths in a backup: the store, and what lies below the folder of the keys. */
const STORE = 'store.sqlite';
const KEYS = 'pki';

export function createBackup({ store, pki, log }: BackupOptions): Backup {
  /** The copy of the store lies beside the keys for a while, as closed to others as they are. */
  async function* everything(): AsyncGenerator<Buffer> {
    const folder = join(dirname(pki), `.backup-${randomBytes(6).toString('hex')}`);
    await makeFolder(folder, 0o700);
    try {
      const copy = join(folder, STORE);
      await store.backup(copy);
      yield* pack([{ path: STORE, from: copy }, ...(await filesBelow(pki, KEYS))]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return {
    stream: (passphrase) => {
      const zipped = pipeline(Readable.from(everything()), createGzip(), (err) => {
        if (err) log.error({ err: messageOf(err) }, 'backup was not finished');
      });
      return Readable.from(seal(zipped, passphrase));
    },
  };
}

export interface OpenedBackup {
  /** The database, and the folder of the keys. */
  store: string;
  pki: string;
}

/**
 * Lays out a backup in a new folder. Where it fails, the folder is gone again.
 * @throws EvenkeelError backup-invalid when the passphrase is wrong or the file is not whole
 */
export async function openBackup(options: {
  file: string;
  passphrase: string;
  folder: string;
}): Promise<OpenedBackup> {
  const { file, passphrase, folder } = options;
  await makeFolder(folder, 0o700);
  try {
    const plain = Readable.from(unseal(file, passphrase));
    const archive = pipeline(plain, createGunzip(), () => undefined);
    await unpack(archive, folder);
  } catch (err) {
    await rm(folder, { recursive: true, force: true });
    throw err;
  }
  return { store: join(folder, STORE), pki: join(folder, KEYS) };
}
