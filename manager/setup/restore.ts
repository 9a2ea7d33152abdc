/** Restore: puts a backup in place of a stopped manager's store and keys; the manager then starts held. */
import { readFile, rename, rm } from 'node:fs/promises';
import type { Clock } from '../../common/clock.ts';
import { syncFolder, writeFileAtomic } from '../../common/files.ts';
import { createLog } from '../../common/log.ts';
import { openBackup } from '../backup.ts';
import { placesOf, readConfig } from '../config.ts';
import { rules } from '../desired/rules.ts';
import { createPki } from '../pki/pki.ts';
import { restoreStore } from '../store/restore.ts';
import { learnEarlier, refuseRunning, removeLeftovers, restoreFolder, setAside } from './aside.ts';

export interface RestoreRequest {
  /** What `evenkeel backup` wrote. */
  file: string;
  data: string;
  passphraseFile: string;
  clock: Clock;
}

export interface Restored {
  epoch: number;
  revision: number;
  /** Why the manager will start held. */
  reason: string | undefined;
  /** Where the store and keys that were there before lie now. */
  aside: string;
}

/**
 * The backup is opened, verified and made ready beside the old files; only then do they change places. Interrupted in
 * the middle of that, it can be run again: a manager without a store starts held.
 * @throws EvenkeelError bad-request while the manager runs; backup-invalid, store-damaged: nothing has changed then
 */
export async function restore({ file, data, passphraseFile, clock }: RestoreRequest): Promise<Restored> {
  const config = await readConfig(data);
  await refuseRunning(config);
  const log = createLog('restore', 'silent');
  const places = placesOf(data);
  const passphrase = (await readFile(passphraseFile, 'utf8')).replace(/\r?\n$/, '');
  await removeLeftovers(data);
  const fresh = restoreFolder(data, clock);
  const opened = await openBackup({ file, passphrase, folder: fresh });
  try {
    const pki = await createPki({ folder: opened.pki, address: config.address, clock, log });
    const { epoch: seenEpoch } = await learnEarlier(data, clock);
    const reason = `restored from ${file}`;
    const meta = await restoreStore({
      file: opened.store,
      seenEpoch,
      actor: 'restore',
      reason,
      rules,
      clock,
      log,
    });
    const aside = await setAside(data, [places.pki], clock);
    await rename(opened.pki, places.pki);
    await rename(opened.store, places.store);
    await writeFileAtomic(places.authority, pki.bundle());
    await syncFolder(data);
    return { epoch: meta.epoch, revision: meta.revision, reason: meta.reason, aside };
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
