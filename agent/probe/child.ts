/** A child process for a check: an argument list in a process group of its own, of which nothing is left when time is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ChildEnd {
  /** The exit status; null when a signal ended it. */
  status: number | null;
  /** The beginning of what it said, on both outputs as they came. */
  output: string;
  /** The beginning of what it said on its standard output alone: for what is read by a program. */
  stdout: string;
}

const MOST_OUTPUT = 4096;

/**
 * Resolves when the child has ended; rejects when it cannot be started, or with the signal's reason, after which the
 * whole group is killed. A child that even SIGKILL does not reach (a dead file server) is left behind: `gone` tells
 * when it has really ended.
 */
export function runChild(
  [command = '', ...args]: readonly string[],
  signal: AbortSignal,
  mostOutput = MOST_OUTPUT,
): { ended: Promise<ChildEnd>; gone: Promise<void> } {
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = gather([child.stdout, child.stderr], mostOutput);
  const stdout = gather([child.stdout], mostOutput);
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    const stop = () => {
      reject(killGroup(child) ?? (signal.reason as Error));
    };
    child.once('error', reject);
    child.once('close', (status) => {
      signal.removeEventListener('abort', stop);
      resolve({ status, output: output(), stdout: stdout() });
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  return { ended, gone };
}

function gather(streams: readonly (Readable | null)[], most: number): () => string {
  let text = '';
  for (const stream of streams)
    stream?.setEncoding('utf8').on('data', (part: string) => {
      if (text.length < most) text += part.slice(0, most - text.length);
    });
  return () => text;
}

/** Returns what went wrong, unless it is only that nobody was left to be killed. */
function killGroup(child: ChildProcess): unknown {
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
  if (child.pid === undefined) return undefined;
  try {
    process.kill(-child.pid, 'SIGKILL');
    return undefined;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'ESRCH' ? undefined : err;
  }
}
