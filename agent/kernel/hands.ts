/** The eyes and hands of the room: commands from the box's own list, each with its time, and files of /proc and /sys. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Run } from '../drivers/run.ts';
import type { AskOptions, Hands, Look } from './thing.ts';

const COMMAND_MS = 5_000;
const LOOK_MS = 2_000;
const SLOW_LOOK_MS = 10_000;
/** So long an answer of what is slow counts. */
const SLOW_EVERY_MS = 30_000;
/** A list of the quotas of 200,000 users. */
const MOST_OUTPUT = 16 * 1024 * 1024;

export interface Eyes extends Look {
  /** Something was made: what was seen before counts no more, but for what is slow. */
  forget(): void;
  forgetSlow(): void;
}

/** What is slow, and was asked a moment ago; kept from one look to the next. */
export type Slow = Map<string, { at: number; answer: Promise<string> }>;

export function createEyes(run: Run, clock: Clock, slow: Slow): Eyes {
  const asked = new Map<string, Promise<string>>();
  const understood = new Map<string, unknown>();
  const ask = async (command: readonly string[], { failing, slow }: AskOptions) => {
    const timeout = slow ? SLOW_LOOK_MS : LOOK_MS;
    const { status, output } = await run(command, { timeout, most: MOST_OUTPUT });
    // Of too much the middle is missing, and what is not in it would pass for what is not there.
    if (output.length >= MOST_OUTPUT)
      throw new Error(`${command[0]} says more than ${MOST_OUTPUT} characters`);
    return status === 0 || failing ? output : '';
  };
  const late = (err: unknown): string => {
    if (err instanceof EvenkeelError && err.code === 'command-timeout') return '';
    throw err;
  };
  const askSlow = (key: string, command: readonly string[]) => {
    const before = slow.get(key);
    if (before && clock.monotonic() - before.at < SLOW_EVERY_MS) return before.answer;
    const answer = ask(command, { slow: true });
    slow.set(key, { at: clock.monotonic(), answer });
    return answer;
  };
  return {
    ask: (command, options = {}) => {
      const key = command.join('\0');
      if (options.slow) return askSlow(key, command);
      const answer = asked.get(key) ?? ask(command, options).catch(late);
      asked.set(key, answer);
      return answer;
    },
    read: (file, bytes) => {
      try {
        return (bytes === undefined ? readFileSync(file, 'utf8') : beginningOf(file, bytes)).trimEnd();
      } catch {
        return null; // there is no such thing, or not for us
      }
    },
    list: (folder) => {
      try {
        return readdirSync(folder);
      } catch {
        return []; // as above
      }
    },
    once: <T>(name: string, understand: () => T) => {
      if (!understood.has(name)) understood.set(name, understand());
      return understood.get(name) as T;
    },
    forget: () => {
      asked.clear();
      understood.clear();
    },
    forgetSlow: () => slow.clear(),
  };
}

/** The kernel writes such files page by page, as they are read. */
function beginningOf(file: string, bytes: number): string {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes; length += read)
      read = readSync(fd, buffer, length, bytes - length, null);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

interface HandsOptions {
  aside: string;
  run: Run;
  clock: Clock;
  log: Log;
}

export const createHands = ({ aside, run, clock, log }: HandsOptions): Hands => ({
  aside,
  call: async (command, { timeout = COMMAND_MS } = {}) => {
    const { status, output } = await run(command, { timeout });
    if (status === 0) return;
    const words = output.trim() || `it ended ${status === null ? 'by a signal' : `with status ${status}`}`;
    throw new Error(`${command[0]}: ${words}`);
  },
  write: (file, text) => writeFile(file, text),
  pause: (ms) => clock.sleep(ms),
  warn: (message) => log.warn({ found: message }, 'the kernel could not be left quite as it was'),
});

/** What was seen before counts no more whenever something was done. */
export const watchedBy = (eyes: Eyes, hands: Hands): Hands => ({
  ...hands,
  call: (command, options) => hands.call(command, options).finally(eyes.forget),
  write: (file, text) => hands.write(file, text).finally(eyes.forget),
});
