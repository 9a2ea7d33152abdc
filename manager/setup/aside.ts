/** Aside: what a manager stood on is never deleted when something takes its place; it is moved into a folder of its own. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { type ManagerConfig, placesOf } from '../config.ts';
import { rules } from '../desired/rules.ts';
import { openStore } from '../store/open.ts';
import { openWitness } from '../witness.ts';

const PATIENCE_MS = 1000;

/** @throws EvenkeelError bad-request while the manager of this folder runs */
export async function refuseRunning({ address, ports }: ManagerConfig): Promise<void> {
  const isServing = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: address, port: ports.api, timeout: PATIENCE_MS });
    const say = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => say(true));
    socket.once('error', () => say(false));
    socket.once('timeout', () => say(false));
  });
  if (isServing)
    throw new EvenkeelError(
      'bad-request',
      `the manager of this folder is running, ${address}:${ports.api} answers; stop it first`,
    );
}

const RESTORING = /^\.restore-\d+-(\d+)$/;

/** Where a restore lays out a backup: its name says which process does it. */
export const restoreFolder = (data: string, clock: Clock): string =>
  join(data, `.restore-${clock.now()}-${process.pid}`);

/** Removes what restores that were killed have left: keys lie in it. One whose process lives is left alone. */
export async function removeLeftovers(data: string): Promise<void> {
  for (const name of await readdir(data)) {
    const pid = Number(RESTORING.exec(name)?.[1] ?? 0);
    if (pid > 0 && pid !== process.pid && !isAlive(pid))
      await rm(join(data, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

export interface Earlier {
  /** The cluster that the manager served, as far as anything still says so. */
  cluster: string | undefined;
  /** The highest epoch that the store is known to have come to; nodes show theirs when they connect. */
  epoch: number;
}

/** What can still be learnt from a store that is about to be replaced, and from its witness. */
export async function learnEarlier(data: string, clock: Clock): Promise<Earlier> {
  const places = placesOf(data);
  const log = createLog('manager', 'silent');
  const seen = (await openWitness({ file: places.witness, clock, log })).seen();
  const store = await openStore({ file: places.store, rules, clock, log });
  const { cluster, epoch } = store.meta();
  await store.close();
  return { cluster: seen?.cluster ?? (cluster || undefined), epoch: Math.max(epoch, seen?.epoch ?? 0) };
}

/**
 * Moves the store and its witness, and whatever else is named, out of the way.
 * @returns the folder where they lie now
 */
export async function setAside(data: string, more: string[], clock: Clock): Promise<string> {
  return moveAside(data, [placesOf(data).witness, ...more], clock);
}

/** Moves the store, and what else is named. @returns the folder where they lie now */
export async function moveAside(data: string, more: string[], clock: Clock): Promise<string> {
  const { store } = placesOf(data);
  const aside = join(data, `replaced-${new Date(clock.now()).toISOString().replaceAll(':', '')}`);
  await mkdir(aside, { mode: 0o700 });
  for (const path of [store, `${store}-wal`, `${store}-shm`, ...more])
    await rename(path, join(aside, basename(path))).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== 'ENOENT') throw err;
    });
  return aside;
}
