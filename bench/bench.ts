/** What every benchmark is given: where to write, how to say what it does, and where its rows go. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Options } from './options.ts';
import { judged, type Measured, type Row } from './row.ts';
import { lineOf } from './table.ts';

export interface Bench {
  options: Options;
  /** A new, empty folder of this run, on the disk that the product would write to. */
  folder(name: string): Promise<string>;
  /** Says what is being done, while it is done. */
  say(line: string): void;
  add(measured: Measured): Row;
  rows: Row[];
  clock: Clock;
}

export function createBench(
  options: Options,
  { root, clock, print }: { root: string; clock: Clock; print: (line: string) => void },
): Bench & { clean(): Promise<void> } {
  const rows: Row[] = [];
  const begun = clock.monotonic();
  return {
    options,
    rows,
    clock,
    folder: async (name) => {
      const folder = join(root, name);
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      return folder;
    },
    say: (line) => print(`${((clock.monotonic() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`),
    add: (measured) => {
      const row = judged(measured);
      rows.push(row);
      print(lineOf(row));
      return row;
    },
    clean: () => (options.keep ? Promise.resolve() : rm(root, { recursive: true, force: true })),
  };
}

/** How long something took, in milliseconds, and what it gave. */
export async function timed<T>(
  clock: Clock,
  work: () => T | Promise<T>,
): Promise<{ ms: number; result: Awaited<T> }> {
  const begun = clock.monotonic();
  const result = await work();
  return { ms: clock.monotonic() - begun, result };
}
