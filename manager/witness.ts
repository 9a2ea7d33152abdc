/** The witness: how far the store had come, kept beside it, so that an older copy put in its place is known at the start. */
import { readFile } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../common/clock.ts';
import { writeFileAtomic } from '../common/files.ts';
import type { Log } from '../common/log.ts';
import { messageOf } from '../protocol/errors.ts';
import { Strict } from '../protocol/values.ts';
import { Rev } from '../protocol/views.ts';

const Sighting = Strict({ cluster: Type.String({ minLength: 1 }), epoch: Rev, revision: Rev });
/** Where a store was seen to stand. */
export type Sighting = Static<typeof Sighting>;

export interface Witness {
  /** What was seen last; undefined before anything was. */
  seen(): Sighting | undefined;
  /** Why the store cannot be the one that was seen last; undefined where it can. */
  doubts(store: Sighting): string | undefined;
  /** Keeps up with a store, a second behind its commits: less is remembered than was, never more. Returns its undo. */
  follow(store: WitnessedStore): Promise<() => Promise<void>>;
}

export interface WitnessedStore {
  meta(): Sighting & { damaged: boolean };
  onCommit(listener: () => void): () => void;
}

const DELAY_MS = 1000;
const validator = Compile(Sighting);

export async function openWitness({
  file,
  clock,
  log,
}: {
  file: string;
  clock: Clock;
  log: Log;
}): Promise<Witness> {
  let seen = await read(file, log);

  const doubts = ({ epoch, revision }: Sighting): string | undefined => {
    if (!seen || !isOlder({ epoch, revision }, seen)) return undefined;
    return (
      `the store is an older copy: it stands at revision ${revision} of epoch ${epoch}, ` +
      `this manager had come to revision ${seen.revision} of epoch ${seen.epoch}`
    );
  };
  /** What is damaged, or older than what was seen, is no news. */
  const look = async ({ cluster, epoch, revision, damaged }: ReturnType<WitnessedStore['meta']>) => {
    const now = { cluster, epoch, revision };
    if (damaged || doubts(now) !== undefined) return;
    await writeFileAtomic(file, `${JSON.stringify(now)}\n`, { mode: 0o600 });
    seen = now;
  };
  return {
    seen: () => seen,
    doubts,
    follow: async ({ meta, onCommit }) => {
      let planned: (() => void) | undefined;
      let looking: Promise<void> = look(meta());
      await looking;
      const lookSoon = () => {
        planned = undefined;
        looking = look(meta()).catch((err: unknown) =>
          log.error({ file, err: messageOf(err) }, 'how far the store has come was not kept'),
        );
      };
      const undo = onCommit(() => {
        planned ??= clock.after(DELAY_MS, lookSoon);
      });
      return async () => {
        undo();
        planned?.();
        await looking;
        await look(meta());
      };
    },
  };
}

const isOlder = ({ epoch, revision }: Omit<Sighting, 'cluster'>, than: Omit<Sighting, 'cluster'>): boolean =>
  epoch < than.epoch || (epoch === than.epoch && revision < than.revision);

/** A witness that cannot be understood is none: the nodes still show what they have. */
async function read(file: string, log: Log): Promise<Sighting | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (validator.Check(parsed)) return parsed;
    log.error({ file }, 'how far the store had come is not written there as it should be');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT')
      log.error({ file, err: messageOf(err) }, 'how far the store had come cannot be read');
  }
  return undefined;
}
