/** The archive inside a backup: files one after the other, each behind a line of JSON that says its path, mode and size. */
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { makeFolder, syncFolder } from '../../common/files.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { RelativePath, Strict } from '../../protocol/values.ts';

const FileHeader = Strict({
  path: RelativePath,
  mode: Type.Integer({ minimum: 0, maximum: 0o777 }),
  size: Type.Integer({ minimum: 0 }),
});
type FileHeader = Static<typeof FileHeader>;
const validator = Compile(FileHeader);

const LONGEST_LINE = 4096;

/** A file to pack, and the path that it gets in the archive. */
export interface Packed {
  path: string;
  from: string;
}

/** Every file below a folder, in the order of their paths. */
export async function filesBelow(folder: string, prefix: string): Promise<Packed[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((from) => ({ from, path: join(prefix, relative(folder, from)) }));
}

export async function* pack(files: Packed[]): AsyncGenerator<Buffer> {
  for (const { path, from } of files) {
    const { size, mode } = await stat(from);
    yield Buffer.from(`${JSON.stringify({ path, mode: mode & 0o777, size })}\n`);
    let left = size;
    for await (const piece of createReadStream(from)) {
      left -= (piece as Buffer).length;
      yield piece as Buffer;
    }
    if (left !== 0) throw new EvenkeelError('internal', `${path} changed while it was packed`);
  }
}

/**
 * Lays out an archive below a folder, every file synced.
 * @returns the paths
 */
export async function unpack(archive: AsyncIterable<Buffer>, folder: string): Promise<string[]> {
  const source = createSource(archive);
  const paths: string[] = [];
  for (let line = await source.line(); line !== undefined; line = await source.line()) {
    const header = headerOf(line);
    await layOut(header, source, folder);
    paths.push(header.path);
  }
  return paths;
}

function headerOf(line: string): FileHeader {
  const header: unknown = JSON.parse(line);
  if (validator.Check(header)) return header;
  throw broken('a file in it has no proper header');
}

async function layOut({ path, mode, size }: FileHeader, source: Source, folder: string): Promise<void> {
  const file = join(folder, path);
  await makeFolder(dirname(file), 0o700);
  const handle = await open(file, 'wx', mode);
  try {
    for (let left = size; left > 0; ) {
      const piece = await source.take(left);
      await handle.writeFile(piece);
      left -= piece.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(file));
}

interface Source {
  /** The next line without its end, or undefined at the end of all. */
  line(): Promise<string | undefined>;
  /** Between one byte and `most`. */
  take(most: number): Promise<Buffer>;
}

function createSource(archive: AsyncIterable<Buffer>): Source {
  const pieces = archive[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const { value, done } = await pieces.next();
    if (!done) rest = rest.length === 0 ? value : Buffer.concat([rest, value]);
    return !done;
  };
  return {
    line: async () => {
      while (rest.indexOf('\n') < 0 && rest.length < LONGEST_LINE && (await more()));
      const end = rest.indexOf('\n');
      if (end < 0 && rest.length === 0) return undefined;
      if (end < 0) throw broken('it ends in the middle');
      const line = rest.subarray(0, end).toString();
      rest = rest.subarray(end + 1);
      return line;
    },
    take: async (most) => {
      while (rest.length === 0 && (await more()));
      if (rest.length === 0) throw broken('it ends in the middle');
      const piece = rest.subarray(0, most);
      rest = rest.subarray(piece.length);
      return piece;
    },
  };
}

const broken = (why: string) => new EvenkeelError('backup-invalid', `the archive is damaged: ${why}`);
