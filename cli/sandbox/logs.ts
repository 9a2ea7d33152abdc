/** The sandbox's log files: straight from each process to its file, bounded by turning the file over at a start. */
import { existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** Larger than this at a start, and the file becomes `.1`, of which there is one. */
const LARGEST = 5 * 1024 * 1024;

/** Opens a log for appending. The caller closes the descriptor once the child has it. */
export async function openLog(path: string): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  if (existsSync(path) && statSync(path).size > LARGEST) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o640);
}

/** The last lines of a log. */
export function tailOf(path: string, lines = 15): string {
  if (!existsSync(path)) return '';
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

/** The length of each log, by its path, at some moment. */
export type LogMarks = ReadonlyMap<string, number>;

/** How long each log is now: what comes after is of this start. One that is turned over begins anew. */
export const marksOf = (paths: string[]): LogMarks =>
  new Map(paths.map((path) => [path, sizeOf(path) > LARGEST ? 0 : sizeOf(path)]));

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

/** What was written since the marks and is no matter of course, for a person: of each log its last lines, `most` in all. */
export function troubleSince(marks: LogMarks, most = 15): string[] {
  const each = Math.max(1, Math.floor(most / marks.size));
  return [...marks]
    .flatMap(([path, mark]) => {
      if (!existsSync(path)) return [];
      const lines = readFileSync(path).subarray(mark).toString('utf8').trimEnd().split('\n');
      const who = basename(path, '.log');
      return lines
        .flatMap(readable)
        .slice(-each)
        .map((line) => `${who}: ${line}`);
    })
    .slice(0, most);
}

const WARNING = 40;
const LONGEST_LINE = 300;

/** A line of JSON as words, and none where it only tells what is as it should be; other lines as they are. */
function readable(line: string): string[] {
  if (line.trim() === '') return [];
  if (!line.startsWith('{')) return [line.slice(0, LONGEST_LINE)];
  try {
    const { level, time, msg, pid, hostname, name, ...rest } = JSON.parse(line) as Record<string, unknown>;
    if (Number(level) < WARNING) return [];
    const fields = Object.entries(rest).map(([key, value]) => `${key}=${wordOf(value)}`);
    return [`${String(time).slice(11, 19)} ${[msg, ...fields].join(' ')}`.slice(0, LONGEST_LINE)];
  } catch {
    return [line.slice(0, LONGEST_LINE)]; // cut off in the middle, and still the best there is
  }
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
