/** One command in a process group of its own: when its try ends, nothing of the group is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../../common/clock.ts';
import { markedWith, membersOf, type ProcessStat, processOf } from '../../common/processes.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Leader } from './ledger.ts';

export interface GroupOptions {
  command: readonly [path: string, ...args: string[]];
  /** All that it gets. */
  environment: Readonly<Record<string, string>>;
  /** What it reads on its standard input; else nothing. */
  input: string | undefined;
  /** Milliseconds. */
  timeout: number;
  /** Ends it before its time. */
  signal: AbortSignal;
  /** Hears what it says, as it comes. */
  heard: (from: 'stdout' | 'stderr', text: string) => void;
  /** Who leads it, as soon as that is known. */
  leads: (leader: Leader) => void;
  clock: Clock;
}

/** How the leader ended, or why it was ended. */
export type GroupEnd = {
  /** Processes that even SIGKILL did not end in time: they wait in the kernel. */
  left: number[];
} & (
  | { how: 'exit'; status: number | null; signal: NodeJS.Signals | null }
  | { how: 'timeout' }
  | { how: 'stopped' }
  | { how: 'missing'; message: string }
);

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
/** What the kernel has in its hands may take this long to die. */
const DYING_MS = 5_000;
const LOOK_MS = 50;
/** What a command said just before its end may still be on its way; and helpers that end by themselves do so in this time. */
const LAST_WORDS_MS = 250;

export async function runGroup(options: GroupOptions): Promise<GroupEnd> {
  const { clock, heard, input, leads } = options;
  let child: ChildProcess;
  try {
    child = start(options);
  } catch (err) {
    // More arguments than the kernel takes, or one that no program can be given.
    return { how: 'missing', message: messageOf(err), left: [] };
  }
  for (const from of ['stdout', 'stderr'] as const)
    child[from]?.setEncoding('utf8').on('data', (text: string) => heard(from, text));
  // Who ends without having read it all says by its status what that means.
  child.stdin?.on('error', () => undefined).end(input);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exit = exitOf(child);
  const { pid } = child;
  const leader = pid === undefined ? null : processOf(pid);
  if (leader) leads({ pid: leader.pid, started: leader.started });
  const end = await firstOf(exit, options);
  if (end.how === 'exit') await Promise.race([closed, clock.sleep(LAST_WORDS_MS)]);
  const left = pid === undefined ? [] : await endGroup(pid, clock);
  await Promise.race([closed, clock.sleep(LAST_WORDS_MS)]);
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  child.unref();
  return { ...end, left };
}

const start = ({ command: [path, ...args], environment, input }: GroupOptions): ChildProcess =>
  spawn(path, args, {
    cwd: '/',
    // A session of its own, so that what it starts is known by that.
    detached: true,
    env: environment,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });

type End = GroupEnd extends infer E ? (E extends unknown ? Omit<E, 'left'> : never) : never;

const exitOf = (child: ChildProcess): Promise<End> =>
  new Promise((resolve) => {
    child.once('error', (err) => resolve({ how: 'missing', message: messageOf(err) }));
    child.once('exit', (status, signal) => resolve({ how: 'exit', status, signal }));
  });

/** Its end, the end of its time, or somebody's word. */
function firstOf(exit: Promise<End>, { timeout, signal, clock }: GroupOptions): Promise<End> {
  return new Promise((resolve) => {
    const undo = clock.after(timeout, () => resolve({ how: 'timeout' }));
    const stop = () => resolve({ how: 'stopped' });
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    void exit.then(resolve).finally(() => {
      undo();
      signal.removeEventListener('abort', stop);
    });
  });
}

/**
 * Ends what lives of a group, kindly first. Whom a member puts into another group of the same session is ended too.
 * @returns those that are there still
 */
export async function endGroup(session: number, clock: Clock): Promise<number[]> {
  if (strike(session, 'SIGTERM').length === 0) return [];
  const graceUntil = clock.monotonic() + GRACE_MS;
  while (clock.monotonic() < graceUntil) {
    await clock.sleep(LOOK_MS);
    if (living(session).length === 0) return [];
  }
  // Again and again: what forks may be faster than one look.
  const until = clock.monotonic() + DYING_MS;
  while (clock.monotonic() < until) {
    if (strike(session, 'SIGKILL').length === 0) return [];
    await clock.sleep(LOOK_MS);
  }
  return living(session);
}

/** What a group that an agent began has left behind, when the agent died in the middle. */
export async function endLeftover({ pid, started }: Leader, clock: Clock): Promise<number[]> {
  const leader = processOf(pid);
  // Another process has the number by now. As long as one of the session lives, none gets it.
  if (leader && leader.started !== started) return [];
  return endGroup(pid, clock);
}

/** In the environment of all that a try starts: which one it is. */
export const MARK = 'EVENKEEL_TRY';

/**
 * What a try has left behind whose agent died before it had written down who leads it: a moment after that began.
 * Later nobody is looked for by his mark, since what a command has put into the background on purpose bears it as well.
 */
export async function endMarked(name: string, clock: Clock): Promise<number[]> {
  const sessions = new Set(markedWith(MARK, name).map(({ session }) => session));
  const left = await Promise.all([...sessions].map((session) => endGroup(session, clock)));
  return left.flat();
}

function living(session: number): number[] {
  const leader = processOf(session);
  const all: ProcessStat[] = leader?.session === session ? [leader] : [];
  return [...all, ...membersOf(session)].map(({ pid }) => pid);
}

function strike(session: number, signal: NodeJS.Signals): number[] {
  const targets = living(session);
  for (const pid of targets.length > 0 ? [-session, ...targets] : []) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself meanwhile.
    }
  }
  return targets;
}
