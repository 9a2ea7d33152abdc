/** The sandbox's log files: straight from each process to its file, bounded by turning the file over at a start. */
import { existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Larger than this at a start, and the file becomes `.1`, of which there is one. */
const LARGEST = 5 * 1024 * 1024;

/** Opens a log for appending. The caller closes the descriptor once the child has it. */
export async function openLog(path: string): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  if (existsSync(path) && statSync(path).size > LARGEST) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o640);
}

/** The last lines of a log, for a person who must know why a start failed. */
export function tailOf(path: string, lines = 15): string {
  if (!existsSync(path)) return '';
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
