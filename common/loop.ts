/** The keyed queue: messages and timers only put a key in; a worker re-reads all it needs. The same key twice is once. */
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** What a pass over a key may ask for: to be called again after some milliseconds. */
export type Again = { againAfter: number } | undefined;

export interface LoopOptions {
  clock: Clock;
  log: Log;
  /** Does the work. Throws a retriable error to be called again with backoff; a terminal one is logged and left. */
  work: (key: string) => Promise<Again | undefined>;
  /** Gathers bursts: this much quiet, at most this much delay, in milliseconds. */
  quiet?: number;
  atMost?: number;
  /** The first and the longest wait between retries, in milliseconds. */
  backoff?: { first: number; cap: number };
}

export interface Loop {
  /** Says that a key wants another look. */
  put(key: string): void;
  /** Waits until nothing is queued or running. */
  idle(): Promise<void>;
  /** Takes nothing more and waits for what runs. */
  stop(): Promise<void>;
}

interface Entry {
  firstPut: number;
  undo: () => void;
}

/** A queue where each key is worked on serially, and different keys do not wait for each other. */
export function createLoop({
  clock,
  log,
  work,
  quiet = 0,
  atMost = 0,
  backoff = { first: 500, cap: 60_000 },
}: LoopOptions): Loop {
  const waiting = new Map<string, Entry>();
  const running = new Map<string, Promise<void>>();
  const dirty = new Set<string>();
  const failures = new Map<string, number>();
  const idlers = new Set<() => void>();
  let stopped = false;

  const schedule = (key: string, ms: number, firstPut: number) => {
    waiting.get(key)?.undo();
    waiting.set(key, { firstPut, undo: clock.after(ms, () => start(key)) });
  };
  const put = (key: string) => {
    if (stopped) return;
    if (running.has(key)) {
      dirty.add(key);
      return;
    }
    const firstPut = waiting.get(key)?.firstPut ?? clock.monotonic();
    const latest = firstPut + Math.max(atMost, quiet) - clock.monotonic();
    schedule(key, Math.max(0, Math.min(quiet, latest)), firstPut);
  };
  const start = (key: string) => {
    waiting.delete(key);
    const pass = runOnce(key).finally(() => {
      running.delete(key);
      if (dirty.delete(key)) put(key);
      if (waiting.size === 0 && running.size === 0) for (const wake of [...idlers]) wake();
    });
    running.set(key, pass);
  };
  const runOnce = async (key: string) => {
    try {
      const again = await work(key);
      failures.delete(key);
      if (again && !stopped) schedule(key, again.againAfter, clock.monotonic());
    } catch (err) {
      const retriable = !(err instanceof EvenkeelError) || err.retriable;
      const tries = failures.get(key) ?? 0;
      log.error(
        { key, tries, retriable, err: messageOf(err), stack: err instanceof Error ? err.stack : undefined },
        'work failed',
      );
      failures.set(key, tries + 1);
      if (retriable && !stopped)
        schedule(key, Math.min(backoff.cap, backoff.first * 2 ** tries), clock.monotonic());
    }
  };
  const idle = () =>
    new Promise<void>((resolve) => {
      if (waiting.size === 0 && running.size === 0) return resolve();
      const wake = () => {
        idlers.delete(wake);
        resolve();
      };
      idlers.add(wake);
    });
  return {
    put,
    idle,
    stop: async () => {
      stopped = true;
      for (const entry of waiting.values()) entry.undo();
      waiting.clear();
      dirty.clear();
      await Promise.all(running.values());
      for (const wake of [...idlers]) wake();
    },
  };
}

/** Calls once for each burst of a key: after this much quiet, at most this much delay. */
export const createGather = ({
  call,
  ...options
}: Required<Pick<LoopOptions, 'clock' | 'log' | 'quiet' | 'atMost'>> & {
  call: (key: string) => void;
}): Loop =>
  createLoop({
    ...options,
    work: async (key) => {
      call(key);
      return undefined;
    },
  });
