/** A durable log of records and its snapshot: what was appended is there after a power cut, and damage never passes for truth. */
import { existsSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../common/digest.ts';
import { writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';

/** Each line is a checksum, a space, and JSON. The first says which generation of the snapshot the log goes on from. */
export interface RecordLog {
  /** All records, snapshot first. A torn last line is cut. @throws EvenkeelError store-damaged */
  load(): Promise<unknown[]>;
  /** Durable when it resolves. @throws EvenkeelError write-failed, and then nothing was appended */
  append(record: unknown): Promise<void>;
  /** Replaces everything by these records. */
  compact(records: Iterable<unknown>): Promise<void>;
  /** Whether the log has outgrown its snapshot. */
  isLong(): boolean;
  /** Puts damaged files out of the way, where a person can look at them, and begins anew. */
  setAside(): Promise<void>;
  close(): Promise<void>;
}

const SHORTEST = 1024 * 1024;

const lineOf = (record: unknown): string => {
  const text = JSON.stringify(record);
  return `${sha256(text).slice(0, 16)} ${text}\n`;
};

function recordIn(line: Buffer): unknown {
  const text = line.toString('utf8', 17);
  if (sha256(text).slice(0, 16) !== line.toString('latin1', 0, 16)) return undefined;
  return JSON.parse(text) as unknown;
}

/** The sound records from the beginning, and how many bytes they take. */
function readLines(data: Buffer): { records: unknown[]; sound: number } {
  const records: unknown[] = [];
  let at = 0;
  for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, at)) {
    const record = recordIn(data.subarray(at, end));
    if (record === undefined) break;
    records.push(record);
    at = end + 1;
  }
  return { records, sound: at };
}

const damaged = (file: string, what: string) => new EvenkeelError('store-damaged', `${file}: ${what}`);

const generationOf = (file: string, header: unknown): number => {
  const { generation } = (header ?? {}) as { generation?: unknown };
  if (typeof generation !== 'number') throw damaged(file, 'it has no header');
  return generation;
};

/** Only the last line may be torn: what follows a broken line was written after it. */
const isTorn = (data: Buffer, sound: number) =>
  data.indexOf(10, sound) === -1 || data.indexOf(10, sound) === data.length - 1;

const readOr = async (file: string): Promise<Buffer | null> => (existsSync(file) ? readFile(file) : null);

/** @param name the files are `<folder>/<name>.log` and `<folder>/<name>.snapshot` */
export function createRecordLog({ folder, name }: { folder: string; name: string }): RecordLog {
  const files = { log: join(folder, `${name}.log`), snapshot: join(folder, `${name}.snapshot`) };
  let handle: FileHandle | undefined;
  let generation = 0;
  let size = 0;
  let snapshotSize = 0;

  const readSnapshot = async (): Promise<unknown[]> => {
    const data = await readOr(files.snapshot);
    if (data === null) return [];
    const { records, sound } = readLines(data);
    if (sound < data.length || records.length === 0) throw damaged(files.snapshot, 'a line does not verify');
    generation = generationOf(files.snapshot, records[0]);
    snapshotSize = data.length;
    return records.slice(1);
  };
  const readLog = async (): Promise<unknown[]> => {
    const data = await readOr(files.log);
    const { records, sound } = readLines(data ?? Buffer.alloc(0));
    if (data === null) return [];
    if (sound < data.length && !isTorn(data, sound)) throw damaged(files.log, 'a line does not verify');
    const own = generationOf(files.log, records[0]);
    if (own > generation) throw damaged(files.snapshot, `it is older than the log, ${generation} and ${own}`);
    // A crash came between a new snapshot and its log: the snapshot holds all of this already.
    if (own < generation) return [];
    if (sound < data.length) await truncate(files.log, sound);
    size = sound;
    return records.slice(1);
  };
  const begin = async () => {
    await handle?.close();
    const header = lineOf({ generation });
    await writeFileAtomic(files.log, header, { mode: 0o600 });
    size = Buffer.byteLength(header);
    handle = await open(files.log, 'a');
  };
  const load = async () => {
    const records = [...(await readSnapshot()), ...(await readLog())];
    if (size === 0) await begin();
    else handle = await open(files.log, 'a');
    return records;
  };
  const append = async (record: unknown) => {
    if (!handle) throw new EvenkeelError('write-failed', `${files.log} is not open`);
    const line = lineOf(record);
    try {
      await handle.truncate(size);
      await handle.appendFile(line);
      await handle.datasync();
    } catch (cause) {
      const file = handle;
      // What was written of the line is cut now, or before the next one.
      await file.truncate(size).catch(() => undefined);
      throw new EvenkeelError('write-failed', `${files.log}: ${messageOf(cause)}`, { cause });
    }
    size += Buffer.byteLength(line);
  };
  const compact = async (records: Iterable<unknown>) => {
    const next = generation + 1;
    const text = [{ generation: next }, ...records].map(lineOf).join('');
    await writeFileAtomic(files.snapshot, text, { mode: 0o600 });
    generation = next;
    snapshotSize = Buffer.byteLength(text);
    await begin();
  };
  const setAside = async () => {
    for (const file of Object.values(files)) if (existsSync(file)) await rename(file, `${file}.damaged`);
    generation = 0;
    snapshotSize = 0;
    await begin();
  };
  return {
    load,
    append,
    compact,
    isLong: () => size > Math.max(SHORTEST, snapshotSize),
    setAside,
    close: async () => {
      await handle?.close();
      handle = undefined;
    },
  };
}
