/** The mover: on the node that a move names, copies and compares as the phase says, in children that can be ended at any time. */
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../common/clock.ts';
import { writeFileAtomic } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import { createLoop } from '../../common/loop.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { StorageReport } from '../../protocol/messages.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import type { StorageMove, StoragePlace } from '../../protocol/resources/storage.ts';
import type { Run } from '../drivers/run.ts';
import { type Beside, createBeside, foldersOf } from './beside.ts';
import { type Said, work } from './copy.ts';
import { createRsync, MARK } from './rsync.ts';

type Storage = ResourceOf<'Storage'>;
type Body = Omit<StorageReport, 'id' | 'session' | 'at'>;

export interface MoverOptions {
  node: string;
  cluster: string;
  desired: {
    get(kind: 'Node', name: string): ResourceOf<'Node'> | undefined;
    list(kind: 'Storage'): Storage[];
  };
  /** A folder of its own. */
  folder: string;
  run: Run;
  report: (body: Body) => void;
  clock: Clock;
  log: Log;
  /** How the two sides come beside each other. */
  beside?: Beside;
}

export interface Mover {
  /** What is declared may have changed. */
  look(): void;
  /** Says again how far it is: a new session has begun. */
  again(): void;
  start(): () => Promise<void>;
}

/** Progress is for people; what ends a phase is said at once. */
const EVERY_MS = 2_000;
/** Nodes write again a few seconds after the end of a move. */
const MARK_AFTER_MS = 5_000;
const MARK_TRIES = 24;

interface Working {
  key: string;
  stop: () => Promise<void>;
}

export function createMover(options: MoverOptions): Mover {
  const { node, cluster, desired, folder, run, report, clock, log } = options;
  const addressOf = (name: string) => desired.get('Node', name)?.spec.address;
  const { beside = createBeside({ run, addressOf }) } = options;
  const rsync = createRsync(run);
  const working = new Map<string, Working>();
  const last = new Map<string, Body>();
  const ends = new Map<string, number>();

  const begin = (name: string, move: StorageMove): Working => {
    const stopping = new AbortController();
    const own = join(folder, name);
    let saidAt = Number.NEGATIVE_INFINITY;
    const say = (said: Said, when: 'now' | 'soon') => {
      const body: Body = { type: 'storage', storage: name, move: move.id, phase: move.phase, ...said };
      last.set(name, body);
      if (when === 'soon' && clock.monotonic() - saidAt < EVERY_MS) return;
      saidAt = clock.monotonic();
      report(body);
    };
    const job = { move, mark: `${cluster} ${name}\n`, folder: own };
    const done = keepRecord(own, move)
      .then(() => work(job, { beside, rsync, clock, say }, stopping.signal))
      .catch((err: unknown) => {
        if (!stopping.signal.aborted) log.error({ storage: name, err: messageOf(err) }, 'copying has ended');
      });
    const stop = async () => {
      stopping.abort(new Error('the phase is over'));
      await done;
    };
    return { key: keyOf(move), stop };
  };
  const one = async (name: string) => {
    const storage = desired.list('Storage').find((each) => each.name === name);
    const move = storage?.spec.move?.by === node ? storage.spec.move : undefined;
    const now = working.get(name);
    if (now && now.key !== (move && keyOf(move))) {
      working.delete(name);
      last.delete(name);
      await now.stop();
    }
    if (!move) return leave(name, storage);
    if (!working.has(name)) working.set(name, begin(name, move));
    return undefined;
  };
  /** After the end of a move: nothing is mounted beside any more, and where it has moved, the mark goes. */
  const leave = async (name: string, storage: Storage | undefined) => {
    const own = join(folder, name);
    const to = await recordIn(own);
    if (to === null) return undefined;
    for (const place of Object.values(foldersOf(own))) await beside.unmount(place);
    const tries = (ends.get(name) ?? 0) + 1;
    ends.set(name, tries);
    const mark = storage && isAt(storage, to) ? join(storage.spec.mountpoint, MARK) : null;
    const isGone = mark === null || (await taken(mark, join(own, 'gone')));
    if (!isGone && tries < MARK_TRIES) return { againAfter: MARK_AFTER_MS };
    if (!isGone) log.warn({ storage: name, mark }, 'the mark of the move is left there');
    ends.delete(name);
    await tidy(own);
    return undefined;
  };
  const taken = (mark: string, to: string): Promise<boolean> =>
    rsync.takeFile(mark, to, AbortSignal.timeout(60_000)).then(
      () => true,
      (err: unknown) => {
        log.debug({ mark, err: messageOf(err) }, 'the mark cannot be removed yet');
        return false;
      },
    );
  const loop = createLoop({ clock, log, work: one, backoff: { first: 1_000, cap: 30_000 } });
  const look = () => {
    for (const { name } of desired.list('Storage')) loop.put(name);
    for (const name of working.keys()) loop.put(name);
  };
  return {
    look,
    again: () => {
      for (const body of last.values()) report(body);
    },
    start: () => {
      look();
      void namesIn(folder).then((names) => names.forEach(loop.put));
      return async () => {
        await loop.stop();
        await Promise.all([...working.values()].map(({ stop }) => stop()));
      };
    },
  };
}

const keyOf = ({ id, phase }: StorageMove): string => `${id} ${phase}`;
const isAt = ({ spec: { server, export: path } }: Storage, to: StoragePlace): boolean =>
  isDeepStrictEqual({ server, export: path }, to);

/** So that a later run knows what there is to tidy up. */
async function keepRecord(own: string, { to }: StorageMove): Promise<void> {
  await mkdir(own, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(own, 'move.json'), JSON.stringify(to));
}

async function recordIn(own: string): Promise<StoragePlace | null> {
  try {
    return JSON.parse(await readFile(join(own, 'move.json'), 'utf8')) as StoragePlace;
  } catch {
    return null; // no move was copied here
  }
}

/** File by file: were something still mounted there, it could not be removed so. */
async function tidy(own: string): Promise<void> {
  for (const file of ['move.json', 'mark', 'found', 'gone']) await rm(join(own, file), { force: true });
  for (const folder of [...Object.values(foldersOf(own)), own])
    await rmdir(folder).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== 'ENOENT') throw err;
    });
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
