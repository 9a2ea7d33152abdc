/** A durable log of records and its snapshot: what was appended is there after a power cut, and damage never passes for truth. */
import { lstatSync } from 'node:fs';
import { type FileHandle, open, rename, truncate } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256 } from '../../common/digest.ts';
import { makeFolder, readRegular, removeLeftovers, writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { statOf } from './disk.ts';

/** Each line is a checksum, a space, and JSON. The first says which generation of the snapshot the log goes on from. */
export interface RecordLog {
  /** All records, snapshot first. A torn last line is cut. @throws EvenkeelError store-damaged */
  load(): Promise<unknown[]>;
  /** Durable when it resolves. @throws EvenkeelError write-failed, and then nothing was appended */
  append(record: unknown): Promise<void>;
  /** Replaces everything by these records. */
  compact(records: Iterable<unknown>): Promise<void>;
  /** Whether it is time to compact: the log has outgrown its snapshot, or a hand has taken it away. */
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

/** Null when there is nothing. A pipe or a folder is damage, and must not be waited for. */
async function readOr(file: string): Promise<Buffer | null> {
  const is = lstatSync(file, { throwIfNoEntry: false });
  if (is === undefined) return null;
  if (!is.isFile()) throw damaged(file, 'it is no file');
  return readRegular(file);
}

/** @param name the files are `<folder>/<name>.log` and `<folder>/<name>.snapshot` */
export function createRecordLog({ folder, name }: { folder: string; name: string }): RecordLog {
  const files = { log: join(folder, `${name}.log`), snapshot: join(folder, `${name}.snapshot`) };
  let handle: FileHandle | undefined;
  let ino: number | undefined;
  let isLoaded = false;
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
  const readLog = async (hasSnapshot: boolean): Promise<unknown[]> => {
    const data = await readOr(files.log);
    // A snapshot is written while there is a log, and older than what the log held.
    if (data === null && hasSnapshot) throw damaged(files.log, 'it is gone, and its snapshot is not');
    if (data === null) return [];
    const { records, sound } = readLines(data);
    if (sound < data.length && !isTorn(data, sound)) throw damaged(files.log, 'a line does not verify');
    const own = generationOf(files.log, records[0]);
    if (own > generation) throw damaged(files.snapshot, `it is older than the log, ${generation} and ${own}`);
    // A crash came between a new snapshot and its log: the snapshot holds all of this already.
    if (own < generation) return [];
    if (sound < data.length) await truncate(files.log, sound);
    size = sound;
    return records.slice(1);
  };
  const openLog = async () => {
    handle = await open(files.log, 'a');
    ({ ino } = await handle.stat());
  };
  /** A new log. Until it is there nothing is appended: what follows a snapshot must not land in the log before it. */
  const begin = async () => {
    const former = handle;
    handle = undefined;
    await former?.close();
    const header = lineOf({ generation });
    await writeFileAtomic(files.log, header, { mode: 0o600 });
    size = Buffer.byteLength(header);
    await openLog();
  };
  const load = async () => {
    await removeLeftovers(
      folder,
      Object.values(files).map((file) => basename(file)),
    );
    const before = await readSnapshot();
    const records = [...before, ...(await readLog(snapshotSize > 0))];
    if (size === 0) await begin();
    else await openLog();
    isLoaded = true;
    return records;
  };
  const append = async (record: unknown) => {
    if (!isLoaded) throw new EvenkeelError('write-failed', `${files.log} is not open`);
    const line = lineOf(record);
    try {
      if (!handle) await begin();
      await handle?.truncate(size);
      await handle?.appendFile(line);
      await handle?.datasync();
    } catch (cause) {
      // What was written of the line is cut now, or before the next one.
      await handle?.truncate(size).catch(() => undefined);
      throw new EvenkeelError('write-failed', `${files.log}: ${messageOf(cause)}`, { cause });
    }
    size += Buffer.byteLength(line);
  };
  const compact = async (records: Iterable<unknown>) => {
    const next = generation + 1;
    const text = [{ generation: next }, ...records].map(lineOf).join('');
    await makeFolder(folder);
    await writeFileAtomic(files.snapshot, text, { mode: 0o600 });
    generation = next;
    snapshotSize = Buffer.byteLength(text);
    await begin();
  };
  const setAside = async () => {
    for (const file of Object.values(files)) if (statOf(file)) await rename(file, `${file}.damaged`);
    generation = 0;
    snapshotSize = 0;
    await begin();
    isLoaded = true;
  };
  return {
    load,
    append,
    compact,
    isLong: () => size > Math.max(SHORTEST, snapshotSize) || (isLoaded && statOf(files.log)?.ino !== ino),
    setAside,
    close: async () => {
      isLoaded = false;
      await handle?.close();
      handle = undefined;
    },
  };
}
