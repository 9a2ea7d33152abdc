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

/** @throws EvenkeelError executable-refused, command-missing or command-timeout */
export type Run = (command: readonly string[], options: { timeout: number }) => Promise<Ended>;

const HALF = 16 * 1024;

export function createRun({ executables, clock }: { executables: Executables; clock: Clock }): Run {
  return (command, { timeout }) => {
    const [path, ...args] = executables.resolve(command);
    const child = spawn(path, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = gather(child);
    return new Promise<Ended>((resolve, reject) => {
      const undo = clock.after(timeout, () => {
        killGroup(child);
        reject(new EvenkeelError('command-timeout', `${path} did not end within ${timeout} ms\n${output()}`));
      });
      child.once('error', (cause) => {
        undo();
        reject(new EvenkeelError('command-missing', `${path}: ${messageOf(cause)}`, { cause }));
      });
      child.once('close', (status) => {
        undo();
        resolve({ status, output: output() });
      });
    });
  };
}

/** The first mistake that a checker tells may stand at either end of what it says. */
function gather(child: ChildProcess): () => string {
  let head = '';
  let tail = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => {
      const room = HALF - head.length;
      head += part.slice(0, room);
      tail = (tail + part.slice(room)).slice(-HALF);
    });
  return () => head + tail;
}

/** Its children too: a checker may have started helpers that would hold the outputs open. */
export function killGroup(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}
