/** Processes as /proc shows them: who lives, of which session, and since when, so that a reused number is not mistaken. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

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

/** Null when there is no such process, or only its remains. */
export function processOf(pid: number): ProcessStat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name stands in parentheses and may hold anything; what follows its end is regular.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return { pid, session: Number(fields[3]), started: Number(fields[19]) };
}

export function pidIn(file: string): number | null {
  const pid = Number.parseInt(read(file) ?? '', 10);
  return pid > 1 ? pid : null;
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

/** A process that began after its pid file was written only inherited the number. */
export function isOlderThan({ started }: ProcessStat, file: string): boolean {
  const boot = Number(/^btime (\d+)$/m.exec(read('/proc/stat') ?? '')?.[1] ?? 0) * 1000;
  const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return boot + (started / TICKS_PER_SECOND) * 1000 <= written + SLACK_MS;
}

const all = (): ProcessStat[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1)
    .flatMap((pid) => processOf(pid) ?? []);

/** Everything in a session but its leader: the workers that outlive a killed daemon. */
export const membersOf = (session: number): ProcessStat[] =>
  all().filter((member) => member.session === session && member.pid !== session);

/** Whether anything that began at a tick or later runs a command; one that shows it as a title shows spaces in it. */
export const runsSince = ([executable, ...args]: readonly [string, ...string[]], tick: number): boolean =>
  all().some(
    ({ pid, started }) =>
      started >= tick &&
      runs(pid, executable) &&
      (read(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').includes(args.join(' ')),
  );
