/** Processes as /proc shows them: who lives, of which session, and since when, so that a reused number is not mistaken. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename } from 'node:path';

export interface ProcessStat {
  pid: number;
  session: number;
  /** Ticks since boot: with the pid, this names one process for ever. */
  started: number;
}

const TICKS_PER_SECOND = 100;
/** The clock may have been set a little between the start of a daemon and its pid file. */
const SLACK_MS = 2_000;

const read = (path: string): string | null => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null; // gone
  }
};

/** Only of a file: a pipe in its place would hold us for ever. */
const fileAt = (path: string): Stats | null => {
  try {
    const stat = statSync(path);
    return stat.isFile() ? stat : null;
  } catch {
    return null; // gone, or closed to us
  }
};

/** Up to some bytes from the end of a file; nothing when it is none, or goes in this moment. */
export function tailOf(path: string, bytes = 4096): string {
  const file = opened(path);
  if (file === null) return '';
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return '';
    const tail = Buffer.alloc(Math.min(bytes, stat.size));
    return tail.toString('utf8', 0, readSync(file, tail, 0, tail.length, stat.size - tail.length));
  } finally {
    closeSync(file);
  }
}

/** A pipe in its place is not waited for. */
const opened = (path: string): number | null => {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return null; // gone, or closed to us
  }
};

/** Null when there is no such process, or only its remains. */
export function processOf(pid: number): ProcessStat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name stands in parentheses and may hold anything; what follows its end is regular.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return { pid, session: Number(fields[3]), started: Number(fields[19]) };
}

/** Whether a process is there and stands still, by a signal or under a debugger. */
export const isStopped = (pid: number): boolean => {
  const text = read(`/proc/${pid}/stat`);
  return text !== null && /^[Tt]$/.test(text.slice(text.lastIndexOf(')') + 2).split(' ')[0] ?? '');
};

export function pidIn(file: string): number | null {
  const pid = Number.parseInt(tailOf(file), 10);
  return pid > 1 ? pid : null;
}

/** Who a second file beside a pid file says that it was, as `pid started`; nulls when it says nothing. */
export function provenIn(file: string): [pid: number | null, started: number | null] {
  const [pid, started] = /^(\d+) (\d+)\n$/.exec(tailOf(file))?.slice(1).map(Number) ?? [];
  return [pid ?? null, started ?? null];
}

/** Whether a process runs an executable, itself or as a script. */
export function runs(pid: number, executable: string): boolean {
  try {
    const exe = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
    if (exe === executable) return true;
  } catch {
    return false; // gone, or another user's: not ours
  }
  return (read(`/proc/${pid}/cmdline`) ?? '').split('\0').includes(executable);
}

/** Whether systemd counts a process to a unit: in its cgroup, of which no process gets out or in by itself. */
export const isOfUnit = (pid: number, unit: string): boolean =>
  (read(`/proc/${pid}/cgroup`) ?? '').split('\n').some((line) => line.split('/').includes(unit));

/** A process that began after its pid file was written only inherited the number. */
export function isOlderThan({ started }: ProcessStat, file: string): boolean {
  const boot = Number(/^btime (\d+)$/m.exec(read('/proc/stat') ?? '')?.[1] ?? 0) * 1000;
  const written = fileAt(file)?.mtimeMs ?? 0;
  return boot + (started / TICKS_PER_SECOND) * 1000 <= written + SLACK_MS;
}

/** The tick of now, and a little before it. */
export const ticksNow = (): number =>
  Math.floor((Number.parseFloat(read('/proc/uptime') ?? '0') - 0.05) * TICKS_PER_SECOND);

const wordsOf = (text: string): string[] => text.split(/[\0 ]/).filter((word) => word !== '');

/** Whether a process runs just this command and no longer one; a title, as `nginx: master process nginx -c file`, ends with it. */
export function runsCommand(pid: number, [executable, ...args]: readonly [string, ...string[]]): boolean {
  if (!runs(pid, executable)) return false;
  const words = wordsOf(read(`/proc/${pid}/cmdline`) ?? '');
  const wanted = wordsOf(args.join(' '));
  const before = words.slice(0, Math.max(0, words.length - wanted.length));
  const isNamed = before.length === 1 || basename(before.at(-1) ?? '') === basename(executable);
  return isNamed && words.slice(before.length).join(' ') === wanted.join(' ');
}

/** Whether a process has a file open: whoever inherited it when it was started shows so whose it is. */
export function holds(pid: number, file: string): boolean {
  const wanted = fileAt(file);
  if (wanted === null) return false;
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const held = fileAt(`/proc/${pid}/fd/${fd}`);
      return held?.ino === wanted.ino && held.dev === wanted.dev;
    });
  } catch {
    return false; // gone, or another user's: not ours
  }
}

const all = (): ProcessStat[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1)
    .flatMap((pid) => processOf(pid) ?? []);

/** Everything in a session but its leader: the workers that outlive a killed daemon. */
export const membersOf = (session: number): ProcessStat[] =>
  all().filter((member) => member.session === session && member.pid !== session);

/** Everything that was started with a variable of just this value, and whatever that has started. */
export const markedWith = (variable: string, value: string): ProcessStat[] =>
  all().filter(
    ({ pid }) => read(`/proc/${pid}/environ`)?.split('\0').includes(`${variable}=${value}`) ?? false,
  );

/** Everything that runs a command and began at a tick or later. */
export const runningSince = (command: readonly [string, ...string[]], tick: number): ProcessStat[] =>
  all().filter(({ pid, started }) => started >= tick && runsCommand(pid, command));

/** Everything that runs an executable and has a file open. */
export const runningWith = (executable: string, file: string): ProcessStat[] =>
  all().filter(({ pid }) => runs(pid, executable) && holds(pid, file));

/** Whether anything at all runs in the cgroup of a unit. */
export const isAnyOfUnit = (unit: string): boolean => all().some(({ pid }) => isOfUnit(pid, unit));
