/** The wire into a box: a serial line held open by its parent; scripts and what they say go by files. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

/** How a script ended; 137 when it had to be killed at its deadline. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Channel {
  /** Resolves when the box takes commands. */
  readonly ready: Promise<void>;
  /** Runs a script for at most `timeout` milliseconds. @throws when the box does not answer, or dies meanwhile */
  sh(script: string, timeout: number): Promise<Ended>;
  /** A word that gets no answer. */
  say(line: string): void;
  /** The box is gone: whoever waits for it hears why. */
  close(why: string): void;
}

interface Waiting {
  done(code: number): void;
  fail(err: Error): void;
}

/** A box that is only slow has answered by then; one that hangs never does. */
const GRACE_MS = 10_000;

/** @param folder that of the box, on the host */
export function createChannel(box: string, wire: Duplex, folder: string): Channel {
  const waiting = new Map<string, Waiting>();
  const scripts = join(folder, 'x');
  mkdirSync(scripts, { recursive: true });
  let last = 0;
  let tellReady: () => void = () => undefined;
  let tellLost: (err: Error) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    tellReady = resolve;
    tellLost = reject;
  });
  // Nobody may be waiting any more when a box dies after its start.
  ready.catch(() => undefined);
  const hear = (line: string) => {
    const [word, id = '', code] = line.split(' ');
    if (word === 'READY') tellReady();
    if (word === 'DONE') waiting.get(id)?.done(Number(code));
  };
  listen(wire, hear);
  return {
    ready,
    say: (line) => {
      wire.write(`${line}\n`);
    },
    sh: async (script, timeout) => {
      last += 1;
      const id = String(last);
      const file = join(scripts, id);
      writeFileSync(`${file}.sh`, script);
      const code = await new Promise<number>((resolve, reject) => {
        const late = new Error(`${box} did not answer within ${(timeout + GRACE_MS) / 1000} s:\n${script}`);
        const timer = setTimeout(() => reject(late), timeout + GRACE_MS);
        const over = () => {
          clearTimeout(timer);
          waiting.delete(id);
        };
        waiting.set(id, {
          done: (result) => {
            over();
            resolve(result);
          },
          fail: (err) => {
            over();
            reject(err);
          },
        });
        wire.write(`${id} ${timeout / 1000}\n`);
      });
      return collect(file, code);
    },
    close: (why) => {
      const err = new Error(`${box} ${why}`);
      tellLost(err);
      for (const { fail } of [...waiting.values()]) fail(err);
    },
  };
}

function collect(file: string, code: number): Ended {
  const said = (ending: string) =>
    existsSync(`${file}.${ending}`) ? readFileSync(`${file}.${ending}`, 'utf8') : '';
  const ended = { code, stdout: said('out'), stderr: said('err') };
  for (const ending of ['sh', 'out', 'err']) rmSync(`${file}.${ending}`, { force: true });
  return ended;
}

function listen(wire: Duplex, hear: (line: string) => void): void {
  let rest = '';
  wire.setEncoding('utf8');
  wire.on('data', (part: string) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) hear(line.replaceAll('\r', ''));
  });
  // It breaks when the box dies; the end of the box's process tells that.
  wire.on('error', () => undefined);
}
