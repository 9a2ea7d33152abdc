/** What was made in the kernel, for whom, and what was there before: kept on disk, so that it can be undone after a crash. */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { readRegular, removeLeftovers, writeFileAtomic } from '../../common/files.ts';
import { messageOf } from '../../protocol/errors.ts';
import { Strict } from '../../protocol/values.ts';

const Entry = Strict({
  id: Type.String(),
  /** The line that was made last. */
  text: Type.String(),
  former: Type.Union([Type.String(), Type.Null()]),
  /** It stands as an earlier line asked for it, and looks the same: it has yet to be made anew. */
  owed: Type.Optional(Type.Literal(true)),
  /** The units that ask for it: it is undone when none does any more. */
  units: Type.Array(Type.String(), { minItems: 1 }),
});
export type Entry = Static<typeof Entry>;

const File = Strict({ made: Type.Array(Entry) });
const check = Compile(File);
const NAME = 'kernel.json';

export interface Made {
  get(id: string): Entry | undefined;
  /** What a unit asks for, in the order in which it was made. */
  of(unit: string): Entry[];
  /** All at once, durable when it resolves; nothing is written where nothing changes. */
  change(change: { put?: readonly Entry[]; gone?: readonly string[] }): Promise<void>;
}

/**
 * One that cannot be believed counts as none: then nothing is undone that may be somebody else's. It is put aside, for a
 * person to see what may be left behind.
 * @param damaged hears of it
 */
export async function openMade(folder: string, damaged: (message: string) => void): Promise<Made> {
  await removeLeftovers(folder, [NAME]);
  const file = join(folder, NAME);
  let entries = new Map((await read(file, damaged)).map((entry) => [entry.id, entry]));
  let queue: Promise<void> = Promise.resolve();
  /** Known when it is on the disk, and not before: what is made must be undone by the next agent as well. */
  const write = async (next: Map<string, Entry>) => {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(file, `${JSON.stringify({ made: [...next.values()] })}\n`);
    entries = next;
  };
  return {
    get: (id) => entries.get(id),
    of: (unit) => [...entries.values()].filter(({ units }) => units.includes(unit)),
    change: async ({ put = [], gone = [] }) => {
      if (put.length + gone.length === 0) return;
      const turn = queue.then(() => {
        const next = new Map(entries);
        for (const entry of put) next.set(entry.id, entry);
        for (const id of gone) next.delete(id);
        return write(next);
      });
      queue = turn.catch(() => undefined);
      await turn;
    },
  };
}

async function read(file: string, damaged: (message: string) => void): Promise<Entry[]> {
  try {
    const parsed: unknown = JSON.parse((await readRegular(file)).toString());
    if (check.Check(parsed)) return parsed.made;
    throw new Error('it is not of the shape that is written there');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return [];
    const aside = `${file}.damaged`;
    await rename(file, aside);
    damaged(
      `${file} cannot be read (${messageOf(err)}) and is now ${aside}: addresses, mounts and settings that were made before are not taken back when nobody asks for them any more; look what is left of them`,
    );
    return [];
  }
}
