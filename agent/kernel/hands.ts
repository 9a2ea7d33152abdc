/** The eyes and hands of the room: commands from the box's own list, each with its time, and files of /proc and /sys. */
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Run } from '../drivers/run.ts';
import type { Hands, Look } from './thing.ts';

const COMMAND_MS = 5_000;
const LOOK_MS = 2_000;
const MOST_OUTPUT = 1024 * 1024;

export interface Eyes extends Look {
  /** Something was made: what was seen before counts no more. */
  forget(): void;
}

export function createEyes(run: Run): Eyes {
  const asked = new Map<string, Promise<string>>();
  const ask = async (command: readonly string[], failing: boolean) => {
    const { status, output } = await run(command, { timeout: LOOK_MS, most: MOST_OUTPUT });
    return status === 0 || failing ? output : '';
  };
  const late = (err: unknown): string => {
    if (err instanceof EvenkeelError && err.code === 'command-timeout') return '';
    throw err;
  };
  return {
    ask: (command, { failing } = { failing: false }) => {
      const key = command.join('\0');
      const answer = asked.get(key) ?? ask(command, failing).catch(late);
      asked.set(key, answer);
      return answer;
    },
    read: (file) => {
      try {
        return readFileSync(file, 'utf8').trimEnd();
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
    forget: () => asked.clear(),
  };
}

export const createHands = ({ run, clock, log }: { run: Run; clock: Clock; log: Log }): Hands => ({
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
