/** Root's own hold on this box: kept on its disk, so that it outlives the agent, and told to the manager as an alarm. */
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Compile } from 'typebox/compile';
import { type Clock, moment } from '../../common/clock.ts';
import { syncFolder, writeFileAtomic } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import { LocalHold } from '../../protocol/local.ts';

export interface LocalHolding {
  now(): LocalHold | null;
  set(reason: string): Promise<LocalHold>;
  /** Returns whether there was one. */
  release(): Promise<boolean>;
}

const validator = Compile(LocalHold);

/** A file that cannot be understood still holds: somebody wanted it so. */
export async function openLocalHold(
  state: string,
  { changed, clock, log }: { changed: () => void; clock: Clock; log: Log },
): Promise<LocalHolding> {
  const file = join(state, 'hold.json');
  let hold = await read(file, clock);
  if (hold) log.warn({ reason: hold.reason, since: hold.since }, 'this box is on hold by its root');
  return {
    now: () => hold,
    set: async (reason) => {
      const wanted = { reason, since: moment(clock) };
      await writeFileAtomic(file, `${JSON.stringify(wanted)}\n`, { mode: 0o600 });
      hold = wanted;
      changed();
      return wanted;
    },
    release: async () => {
      const was = hold !== null;
      await rm(file, { force: true });
      await syncFolder(dirname(file));
      hold = null;
      if (was) changed();
      return was;
    },
  };
}

async function read(file: string, clock: Clock): Promise<LocalHold | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (validator.Check(value)) return value;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (!(err instanceof SyntaxError)) throw err;
  }
  return { reason: `${file} cannot be understood`, since: moment(clock) };
}
