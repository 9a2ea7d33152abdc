/** A process of its own for a part of a benchmark, so that it does not share an event loop with what is measured. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../protocol/errors.ts';

interface Call {
  id: number;
  name: string;
  argument: unknown;
}
type Answer = { id: number; result: unknown } | { id: number; error: string };

export interface Worker {
  pid: number;
  /** Asks the worker; rejects with what it says, when it dies, or after `timeout` milliseconds. */
  call<T>(name: string, argument?: unknown, timeout?: number): Promise<T>;
  stop(): Promise<void>;
}

const PATIENCE = 60_000;

/** @param file of the worker, which calls `serve` */
export function startWorker(file: string, from: string): Worker {
  const child = fork(fileURLToPath(new URL(file, from)), { serialization: 'advanced' });
  const waiting = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer));
  child.once('exit', (code) => {
    for (const [id, end] of waiting) end({ id, error: `the worker ${file} ended with ${code}` });
  });
  const ask = (call: Call, timeout: number) =>
    new Promise<Answer>((resolve) => {
      const late = () => end({ id: call.id, error: `${file}: ${call.name} took over ${timeout} ms` });
      const timer = setTimeout(late, timeout);
      const end = (answer: Answer) => {
        clearTimeout(timer);
        waiting.delete(call.id);
        resolve(answer);
      };
      waiting.set(call.id, end);
      child.send(call, (err) => {
        if (err) end({ id: call.id, error: err.message });
      });
    });
  return {
    pid: child.pid ?? 0,
    call: async <T>(name: string, argument?: unknown, timeout = PATIENCE) => {
      asked += 1;
      const answer = await ask({ id: asked, name, argument }, timeout);
      if ('error' in answer) throw new Error(answer.error);
      return answer.result as T;
    },
    stop: () => ended(child),
  };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

/** In the worker: answers calls by name until the process is ended, or its parent is gone. */
export function serve(handlers: Record<string, (argument: never) => unknown>): void {
  const answer = async ({ id, name, argument }: Call): Promise<Answer> => {
    try {
      const handler = handlers[name];
      if (!handler) throw new Error(`there is no ${name}`);
      return { id, result: await handler(argument as never) };
    } catch (err) {
      return { id, error: messageOf(err) };
    }
  };
  process.on('message', (call: Call) => {
    void answer(call).then((said) => process.send?.(said));
  });
  process.on('disconnect', () => process.exit(0));
}

/** Milliseconds of the monotonic clock that all processes of one machine share. */
export const sharedNow = (): number => Number(process.hrtime.bigint()) / 1e6;
