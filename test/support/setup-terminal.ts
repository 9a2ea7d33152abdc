/** A command of the CLI at a terminal of its own (script of util-linux makes it), as somebody would sit there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { childrenOf, cliBundle } from './sandbox.ts';
import { until } from './until.ts';

export interface Terminal {
  /** Waits until it says this, after all that was waited for before. */
  says(text: string, ms?: number): Promise<void>;
  type(line: string): void;
  /** Waits for each question and answers it. */
  dialogue(turns: [question: string, answer: string][]): Promise<void>;
  /** SIGKILL to the command itself. */
  kill(): Promise<void>;
  /** @returns its exit code */
  ended(ms?: number): Promise<number>;
  /** All it said so far. */
  said(): string;
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export function openTerminal(args: string[], env: Record<string, string> = {}): Terminal {
  const line = [process.execPath, cliBundle, ...args].map(quoted).join(' ');
  const child = spawn('script', ['-q', '-e', '-f', '-c', `exec ${line}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  let said = '';
  let read = 0;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    said += part;
  });
  const type = (text: string) => void child.stdin.write(`${text}\r`);
  const says = async (text: string, ms = 20_000) => {
    await until(`it says ${text}`, () => said.indexOf(text, read) >= 0, ms).catch((err: Error) => {
      throw new Error(`${err.message}; it said:\n${said.slice(read)}`);
    });
    read = said.indexOf(text, read) + text.length;
  };
  return {
    says,
    type,
    dialogue: async (turns) => {
      for (const [question, answer] of turns) {
        await says(question);
        type(answer);
      }
    },
    kill: async () => {
      const [pid] = childrenOf(child.pid ?? 0);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      await exit;
    },
    ended: async (ms = 20_000) => {
      await until('it has ended', () => child.exitCode !== null || child.signalCode !== null, ms).catch(
        (err: Error) => {
          child.kill('SIGKILL');
          throw new Error(`${err.message}; it said:\n${said.slice(read)}`);
        },
      );
      return (await exit)[0] ?? 1;
    },
    said: () => said,
  };
}
