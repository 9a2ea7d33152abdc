/** Undo of an upgrade: the store as it was before a newer version changed its schema is put back in its place. */
import { existsSync } from 'node:fs';
import { readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { copyAtomic, syncFolder } from '../../common/files.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { placesOf, readConfig } from '../config.ts';
import { SCHEMA_VERSION, schemaOf } from '../store/schema.ts';
import { moveAside, refuseRunning } from './aside.ts';

export interface Undone {
  schema: number;
  /** When the copy was made: what was declared since is missing. Null where an earlier run has put it in place. */
  taken: string | null;
  /** Where the newer store lies now; null where an earlier run has moved it. */
  aside: string | null;
}

/**
 * The witness stays: when the newer version had committed anything, the manager starts held and says so. Cut off, it can be
 * run again: the copy is complete beside the store before that is moved.
 * @throws EvenkeelError bad-request while the manager runs, or for a store that this version knows; not-found without a copy
 */
export async function undoUpgrade(data: string, clock: Clock): Promise<Undone> {
  await refuseRunning(await readConfig(data));
  const { store } = placesOf(data);
  const fresh = `${store}.undone`;
  if (!existsSync(store) && existsSync(fresh)) {
    await rename(fresh, store);
    await syncFolder(data);
    return { schema: await schemaOf(store), taken: null, aside: null };
  }
  const version = await schemaOf(store);
  if (version <= SCHEMA_VERSION)
    throw new EvenkeelError('bad-request', `${store} has schema ${version}, which this version knows`);
  const copy = await latestCopy(store);
  const { mtime } = await stat(copy.file);
  await copyAtomic(copy.file, fresh);
  const aside = await moveAside(data, [], clock);
  await rename(fresh, store);
  await syncFolder(data);
  return { schema: copy.version, taken: mtime.toISOString(), aside };
}

async function latestCopy(store: string): Promise<{ file: string; version: number }> {
  const stem = `${basename(store)}.schema-`;
  const versions = (await readdir(dirname(store)))
    .filter((name) => name.startsWith(stem) && /^[0-9]+$/.test(name.slice(stem.length)))
    .map((name) => Number(name.slice(stem.length)))
    .filter((version) => version <= SCHEMA_VERSION);
  const version = Math.max(...versions);
  if (versions.length > 0) return { file: join(dirname(store), `${stem}${version}`), version };
  throw new EvenkeelError(
    'not-found',
    `beside ${store} there is no copy of a schema up to ${SCHEMA_VERSION}`,
  );
}
