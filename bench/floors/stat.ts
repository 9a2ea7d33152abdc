/** The floor of a sweep: a loop in C that stats the same files, compiled when it is needed. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('stat.c', import.meta.url));
const TIMEOUT = 60_000;

/** Stats all files `times` times; returns the milliseconds of each time. */
export async function statFloor(folder: string, paths: readonly string[], times: number): Promise<number[]> {
  const [program, list] = [join(folder, 'stat'), join(folder, 'paths')];
  await run('gcc', ['-O2', '-o', program, SOURCE], { timeout: TIMEOUT });
  await writeFile(list, paths.map((path) => `${path}\n`).join(''));
  const { stdout } = await run(program, [list, String(times)], { timeout: TIMEOUT });
  return stdout.trim().split('\n').map(Number);
}
