/** Processes by pid and start time, so that a pid that now belongs to somebody else is never touched. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { isOlderThan, membersOf, pidIn, processOf } from '../../common/processes.ts';

/** `started` is the boot and the clock tick of the start: no two processes ever share both with a pid. */
export interface ProcessId {
  pid: number;
  started: string;
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

/** Who has this pid now; nobody when it is free, or dead and not yet collected by its parent. */
export function identify(pid: number): ProcessId | undefined {
  const stat = processOf(pid);
  return stat ? { pid, started: `${bootId()}:${stat.started}` } : undefined;
}

export const isAlive = (process: ProcessId): boolean => identify(process.pid)?.started === process.started;

function signal(process: ProcessId, name: 'SIGTERM' | 'SIGKILL'): void {
  if (!isAlive(process)) return;
  try {
    globalThis.process.kill(process.pid, name);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
  }
}

/** Whether all of them end within `ms`. */
export async function allGone(processes: ProcessId[], ms: number, clock: Clock): Promise<boolean> {
  const deadline = clock.monotonic() + ms;
  while (processes.some(isAlive)) {
    if (clock.monotonic() >= deadline) return false;
    await clock.sleep(5);
  }
  return true;
}

/** Ends processes: politely, and after `grace` milliseconds for certain. Returns those that outlive even that. */
export async function end(processes: ProcessId[], clock: Clock, grace = 5000): Promise<ProcessId[]> {
  for (const process of processes) signal(process, 'SIGTERM');
  if (await allGone(processes, grace, clock)) return [];
  for (const process of processes) signal(process, 'SIGKILL');
  await allGone(processes, 2000, clock);
  return processes.filter(isAlive);
}

// --- daemons, which only their pid files name -----------------------------------------------------------

/** The pid file's daemon. A process that started after the file was written only inherited the number. */
export function daemonOf(pidFile: string): ProcessId | undefined {
  const stat = processOf(pidIn(pidFile) ?? 0);
  return stat && isOlderThan(stat, pidFile) ? identify(stat.pid) : undefined;
}

/**
 * Every daemon process of a node: the masters that its pid files name, and workers that outlived a killed master.
 * Those are told by two marks together: they are of the master's session, and hold a file of the node open.
 */
export function daemonsOf(node: { root: string; run: string }): ProcessId[] {
  const pidFiles = listed(node.run).filter((name) => name.endsWith('.pid'));
  return pidFiles.flatMap((name) => {
    const file = join(node.run, name);
    const master = daemonOf(file);
    return [...(master ? [master] : []), ...workersOf(pidIn(file), node.root)];
  });
}

const workersOf = (master: number | null, root: string): ProcessId[] =>
  master === null
    ? []
    : membersOf(master)
        .filter(({ pid }) => holdsFileIn(pid, root))
        .flatMap(({ pid }) => identify(pid) ?? []);

const holdsFileIn = (pid: number, root: string): boolean =>
  listed(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`).startsWith(`${root}/`));

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // gone, or another user's: then it is not ours
  }
}
