/** Beside: both file servers mounted in folders of the mover's own, so that what nodes serve is not touched. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { StoragePlace } from '../../protocol/resources/storage.ts';
import type { Run } from '../drivers/run.ts';

export interface Beside {
  mount(place: StoragePlace, folder: string, access: 'ro' | 'rw'): Promise<void>;
  /** Nothing where nothing is mounted. */
  unmount(folder: string): Promise<void>;
}

export interface BesideOptions {
  run: Run;
  /** Where a node of this cluster is reached; undefined where this box is not told. */
  addressOf: (node: string) => string | undefined;
}

const MOUNT_MS = 60_000;
/**
 * `soft`: a server that is gone ends the copy with an error after about a minute, and is not waited for. `nosharecache`:
 * what is read was not kept by the mount that the node serves from.
 */
const OPTIONS = 'soft,timeo=150,retrans=3,nosharecache';

/** @throws EvenkeelError copy-failed, and what `run` throws */
export function createBeside({ run, addressOf }: BesideOptions): Beside {
  return {
    mount: async (place, folder, access) => {
      await mkdir(folder, { recursive: true });
      const { server } = place;
      const address = typeof server === 'string' ? server : addressOf(server.node);
      if (address === undefined)
        throw new EvenkeelError(
          'copy-failed',
          `this box is not told the address of the node ${placeName(place)}`,
        );
      const source = `${address}:${place.export}`;
      const command = ['mount', '-t', 'nfs4', '-o', `${access},${OPTIONS}`, source, folder];
      const { status, output } = await run(command, { timeout: MOUNT_MS });
      if (status !== 0)
        throw new EvenkeelError('copy-failed', `${source} cannot be mounted: ${output.trim()}`);
    },
    unmount: async (folder) => {
      endOrphans(folder);
      const plain = await run(['umount', folder], { timeout: MOUNT_MS });
      if (plain.status === 0 || /not mounted|no mount point|not found/.test(plain.output)) return;
      // Its server does not answer, or a copy that was killed has not ended yet: no path leads there any more.
      const { status, output } = await run(['umount', '-l', folder], { timeout: MOUNT_MS });
      if (status !== 0)
        throw new EvenkeelError('copy-failed', `${folder} cannot be unmounted: ${output.trim()}`);
    },
  };
}

const placeName = ({ server }: StoragePlace): string => (typeof server === 'string' ? server : server.node);

/** A copy outlives an agent that was killed, and two of them would write one target. */
export function endOrphans(folder: string): void {
  for (const pid of readdirSync('/proc').map(Number)) if (pid > 1 && isCopy(pid, folder)) kill(pid);
}

function isCopy(pid: number, folder: string): boolean {
  try {
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return basename(program) === 'rsync' && args.includes(`${folder}/`);
  } catch {
    return false; // it has ended meanwhile
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
  }
}

export const foldersOf = (folder: string) => ({
  source: join(folder, 'source'),
  target: join(folder, 'target'),
});
