/** What was made in the kernel, for whom, and what was there before: kept on disk, so that it can be undone after a crash. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { readRegular, removeLeftovers, writeFileAtomic } from '../../common/files.ts';
import { Strict } from '../../protocol/values.ts';

const Entry = Strict({
  id: Type.String(),
  /** The line that was made last. */
  text: Type.String(),
  former: Type.Union([Type.String(), Type.Null()]),
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
  /** Durable when it resolves. */
  put(entry: Entry): Promise<void>;
  delete(id: string): Promise<void>;
}

/** One that cannot be believed counts as none: then nothing is undone that may be somebody else's. */
export async function openMade(folder: string): Promise<Made> {
  await removeLeftovers(folder, [NAME]);
  const file = join(folder, NAME);
  const entries = new Map((await read(file)).map((entry) => [entry.id, entry]));
  let queue: Promise<void> = Promise.resolve();
  const write = (): Promise<void> => {
    const turn = queue.then(async () => {
      await mkdir(folder, { recursive: true });
      await writeFileAtomic(file, `${JSON.stringify({ made: [...entries.values()] })}\n`);
    });
    queue = turn.catch(() => undefined);
    return turn;
  };
  return {
    get: (id) => entries.get(id),
    of: (unit) => [...entries.values()].filter(({ units }) => units.includes(unit)),
    put: (entry) => {
      entries.set(entry.id, entry);
      return write();
    },
    delete: (id) => {
      entries.delete(id);
      return write();
    },
  };
}

async function read(file: string): Promise<Entry[]> {
  try {
    const parsed: unknown = JSON.parse((await readRegular(file)).toString());
    return check.Check(parsed) ? parsed.made : [];
  } catch {
    return []; // absent, torn or edited: see above
  }
}
