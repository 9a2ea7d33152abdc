/** Keeps processes alive as systemd would: starts them, starts a dead one again with bounded backoff, ends them all. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Clock } from '../../common/clock.ts';
import { messageOf } from '../../protocol/errors.ts';
import { openLog } from './logs.ts';
import { end, identify, isAlive, type ProcessId } from './processes.ts';

/** A process to keep: its name, its argument list with the program first, and where its output goes. */
export interface Kept {
  name: string;
  run: string[];
  log: string;
}

export interface Supervisor {
  /** Starts the process and keeps it alive from then on. */
  keep(kept: Kept): Promise<void>;
  running(): Record<string, ProcessId>;
  /** How often each process has ended by itself since it was last well for ten seconds. */
  deaths(): Record<string, number>;
  /** Ends all, for good. */
  stop(): Promise<void>;
}

interface Entry {
  kept: Kept;
  process?: ProcessId;
  startedAt: number;
  deaths: number;
  undo?: () => void;
}

const BACKOFF = { first: 200, cap: 10_000 };
/** A process that lived this long was well: its next death starts the backoff anew. */
const WELL = 10_000;

/**
 * @param record keeps who runs, durably, before anything else happens: whoever cleans up after a crash reads it
 * @param say tells the operator that a process has ended and will be started again
 * @param grace how long a process may take to end by itself, in milliseconds
 */
export function createSupervisor({
  clock,
  record,
  say,
  grace = 10_000,
}: {
  clock: Clock;
  record: (running: Record<string, ProcessId>) => Promise<void>;
  say: (line: string) => void;
  grace?: number;
}): Supervisor {
  const entries = new Map<string, Entry>();
  let stopped = false;
  let writing: Promise<void> = Promise.resolve();

  const running = (): Record<string, ProcessId> =>
    Object.fromEntries([...entries].flatMap(([name, { process }]) => (process ? [[name, process]] : [])));
  const recordAll = (): Promise<void> => {
    writing = writing
      .then(() => record(running()))
      .catch((err: unknown) => say(`the record of processes could not be written: ${messageOf(err)}`));
    return writing;
  };
  const launch = async (entry: Entry): Promise<void> => {
    const [program = '', ...args] = entry.kept.run;
    const log = await openLog(entry.kept.log);
    if (stopped) return closeSync(log);
    const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    entry.startedAt = clock.monotonic();
    entry.process = child.pid === undefined ? undefined : identify(child.pid);
    onEnd(child, (how) => ended(entry, how));
    await recordAll();
  };
  const ended = (entry: Entry, how: string) => {
    entry.process = undefined;
    if (stopped) return;
    entry.deaths = clock.monotonic() - entry.startedAt >= WELL ? 1 : entry.deaths + 1;
    const wait = Math.min(BACKOFF.cap, BACKOFF.first * 2 ** (entry.deaths - 1));
    say(`${entry.kept.name} ended (${how}); starting it again in ${wait} ms`);
    entry.undo = clock.after(wait, () => {
      launch(entry).catch((err: unknown) => ended(entry, messageOf(err)));
    });
  };
  return {
    keep: async (kept) => {
      const entry: Entry = { kept, startedAt: 0, deaths: 0 };
      entries.set(kept.name, entry);
      await launch(entry);
    },
    running,
    deaths: () => Object.fromEntries([...entries].map(([name, { deaths }]) => [name, deaths])),
    stop: async () => {
      stopped = true;
      for (const { undo } of entries.values()) undo?.();
      await end(Object.values(running()), clock, grace);
      // They are gone before the kernel's word of it has come round to us.
      for (const entry of entries.values())
        if (entry.process && !isAlive(entry.process)) entry.process = undefined;
      await recordAll();
    },
  };
}

/** Calls once, whether the process ended or could not even be started. */
function onEnd(child: ChildProcess, call: (how: string) => void): void {
  let called = false;
  const once = (how: string) => {
    if (!called) call(how);
    called = true;
  };
  child.once('error', (err) => once(err.message));
  child.once('exit', (code, signal) => once(signal ?? `exit code ${code}`));
}
