/** The record of a unit: which tree is good, which one the daemon has shown that it serves, and which one is wanted. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { makeFolder, writeFileAtomic } from '../../common/files.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { Sha256, Strict } from '../../protocol/values.ts';

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
  let record = await readFile(file, 'utf8').then(recordIn, () => BLANK);
  return {
    read: () => record,
    write: async (changes) => {
      const next = { ...record, ...changes };
      next.proven = next.proven.slice(-MOST_KEPT);
      next.refused = next.refused.slice(-MOST_KEPT);
      if (JSON.stringify(next) === JSON.stringify(record)) return;
      await makeFolder(folder);
      await writeFileAtomic(file, `${JSON.stringify(next)}\n`);
      record = next;
    },
  };
}

function recordIn(text: string): UnitRecord {
  try {
    const read: unknown = JSON.parse(text);
    return check.Check(read) ? read : BLANK;
  } catch {
    return BLANK; // torn or edited: see above
  }
}
