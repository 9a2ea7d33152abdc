/** Runs the floor of writing files: a fresh program and an empty folder for each measurement. */
import type { Bench } from '../bench.ts';
import { startWorker } from '../worker.ts';
import type { FileToWrite } from './write-files.ts';

/** Milliseconds that a Node program takes to write these files durably, without its start. */
export async function writeFloor(bench: Bench, files: FileToWrite[]): Promise<number> {
  const worker = startWorker('./floors/write-files.ts', new URL('../bench.ts', import.meta.url).href);
  try {
    return await worker.call<number>('write', { folder: await bench.folder('floor-write'), files }, 300_000);
  } finally {
    await worker.stop();
  }
}
