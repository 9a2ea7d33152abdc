/** One command run to its end: an argument list from the box's own list, in a process group of which nothing is left when time is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Executables } from './executables.ts';

export interface Ended {
  /** Null when a signal ended it. */
  status: number | null;
  /** What it said on both outputs; of much, the beginning and the end. */
  output: string;
}

export interface RunOptions {
  /** Milliseconds. */
  timeout: number;
  /** Ends the command before its time. */
  signal?: AbortSignal;
  /** Hears what it says on its standard output, as it comes. */
  heard?: (text: string) => void;
  /** So many characters of what it says are kept; else 32 Ki. */
  most?: number;
  /** What it reads on its standard input; else nothing. */
  input?: string;
}

/** @throws EvenkeelError executable-refused, command-missing or command-timeout; or the signal's reason */
export type Run = (command: readonly string[], options: RunOptions) => Promise<Ended>;

const MOST = 32 * 1024;
/** What a command said just before its end may still be on its way; what it left behind may hold its outputs for ever. */
const LAST_WORDS_MS = 250;

export function createRun({ executables, clock }: { executables: Executables; clock: Clock }): Run {
  return async (command, { timeout, signal, most = MOST, input, heard }) => {
    const [path, ...args] = executables.resolve(command);
    signal?.throwIfAborted();
    const child = spawn(path, args, {
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    feed(child, input);
    const output = gather(child, most / 2);
    if (heard) child.stdout?.on('data', heard);
    const undo: (() => void)[] = [];
    try {
      return await new Promise<Ended>((resolve, reject) => {
        const give = (error: unknown) => {
          killGroup(child);
          reject(error as Error);
        };
        const late = () =>
          give(new EvenkeelError('command-timeout', `${path} did not end within ${timeout} ms\n${output()}`));
        const stop = () => give(signal?.reason);
        const end = (status: number | null) => resolve({ status, output: output() });
        undo.push(clock.after(timeout, late), () => signal?.removeEventListener('abort', stop));
        signal?.addEventListener('abort', stop);
        child.once('error', (cause) =>
          reject(new EvenkeelError('command-missing', `${path}: ${messageOf(cause)}`, { cause })),
        );
        child.once('exit', (status) => undo.push(clock.after(LAST_WORDS_MS, () => end(status))));
        child.once('close', end);
      });
    } finally {
      for (const one of undo) one();
      letGo(child);
    }
  };
}

/** A command that ends without having read it all says by its status what that means. */
function feed({ stdin }: ChildProcess, input: string | undefined): void {
  stdin?.on('error', () => undefined).end(input);
}

/** The first mistake that a checker tells may stand at either end of what it says. */
function gather(child: ChildProcess, half: number): () => string {
  let head = '';
  let tail = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => {
      const room = half - head.length;
      head += part.slice(0, room);
      tail = (tail + part.slice(room)).slice(-half);
    });
  return () => head + tail;
}

/** Its children too: a checker may have started helpers that would hold the outputs open. */
export function killGroup(child: ChildProcess): void {
  letGo(child);
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** Nobody listens to it, or waits for it, any more. */
function letGo(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
}
