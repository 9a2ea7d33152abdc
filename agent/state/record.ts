/** The record of a unit: which tree is good, which one the daemon has shown that it serves, and which one is wanted. */
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { makeFolder, readRegular, removeLeftovers, writeFileAtomic } from '../../common/files.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { Sha256, Strict } from '../../protocol/values.ts';
import { statOf } from './disk.ts';
import { clearFolder } from './trees.ts';

const Digest = Type.Union([Sha256, Type.Null()]);

const UnitRecord = Strict({
  /** Its checks passed while it was served. */
  good: Digest,
  /** The daemon itself has shown that it serves it. Another one than `wanted` is an owed reload. */
  loaded: Digest,
  /** `current` leads to it, or is about to; null while what was shown once has to be loaded again. */
  wanted: Digest,
  /** How the service is defined that runs, so that it can be ended when its policy says otherwise or is gone. */
  running: Type.Union([Type.Unsafe<ResolvedService>(Type.Object({ pidFile: Type.String() })), Type.Null()]),
  /** The folders that it needs, some of which a reboot takes away. */
  folders: Type.Optional(
    Type.Array(Strict({ path: Type.String(), mode: Type.Integer(), owner: Type.Optional(Type.String()) })),
  ),
  /** Trees that the daemon's checker has passed, the newest last: they are not checked again. */
  proven: Type.Array(Sha256),
  /** Trees that were refused, the newest last: they are not tried again until an operator asks for it. */
  refused: Type.Array(Strict({ digest: Sha256, code: Type.String(), message: Type.String() })),
});
export type UnitRecord = Static<typeof UnitRecord>;

export interface RecordFile {
  read(): UnitRecord;
  /** Durable when it resolves. */
  write(changes: Partial<UnitRecord>): Promise<void>;
}

const check = Compile(UnitRecord);
/** Of a unit of which nothing is known. */
export const BLANK: UnitRecord = {
  good: null,
  loaded: null,
  wanted: null,
  running: null,
  proven: [],
  refused: [],
};
const MOST_KEPT = 16;

/**
 * Opens the record in a unit's folder. One that cannot be believed counts as none: then the daemon has to show again
 * what it serves, and the checks have to pass again, and nothing worse happens.
 */
export async function openRecord(folder: string): Promise<RecordFile> {
  const file = join(folder, 'record.json');
  await removeLeftovers(folder, ['record.json', 'current']);
  let record = await readRegular(file).then(recordIn, () => BLANK);
  let queue: Promise<void> = Promise.resolve();

  const write = async (changes: Partial<UnitRecord>) => {
    const next = { ...record, ...changes };
    next.proven = next.proven.slice(-MOST_KEPT);
    next.refused = next.refused.slice(-MOST_KEPT);
    if (JSON.stringify(next) === JSON.stringify(record) && (record === BLANK || statOf(file)?.isFile()))
      return;
    await makeFolder(folder);
    await clearFolder(file);
    await writeFileAtomic(file, `${JSON.stringify(next)}\n`);
    record = next;
  };
  return {
    read: () => record,
    // One after the other: an operator's retry must not undo what a pass writes at the same time.
    write: (changes) => {
      const turn = queue.then(() => write(changes));
      queue = turn.catch(() => undefined);
      return turn;
    },
  };
}

function recordIn(text: Buffer): UnitRecord {
  try {
    const read: unknown = JSON.parse(text.toString());
    return check.Check(read) ? read : BLANK;
  } catch {
    return BLANK; // torn or edited: see above
  }
}
