/** Moves: the job that takes storages to another server, phase by phase. All it knows is declared; a restart loses nothing. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { type Again, createLoop } from '../../common/loop.ts';
import { SERVER_ROLE } from '../../common/policies.ts';
import type { Stored, View } from '../../common/view.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { StorageReport } from '../../protocol/messages.ts';
import type { StorageMove, StoragePlace, StorageSpec } from '../../protocol/resources/storage.ts';
import type { StorageView } from '../../protocol/storage.ts';
import type { Commit, Meta, WriteRequest, WriteResult } from '../store/store.ts';
import { type Mount, mountsOf, type Said, type Seen, servesNot } from './facts.ts';
import {
  deadlineOf,
  type Happening,
  type Next,
  nextOf,
  placeText,
  type Step,
  takenBack,
  tale,
} from './phases.ts';

export interface MovesOptions {
  store: {
    view(): View;
    meta(): Pick<Meta, 'epoch'>;
    write(request: WriteRequest): Promise<WriteResult>;
    judge(request: WriteRequest): Promise<WriteResult>;
    onCommit(listener: (commit: Pick<Commit, 'entries'>) => void): () => void;
  };
  observed: {
    of(node: string): Readonly<Said> | undefined;
    onChange(listener: (node: string) => void): () => void;
  };
  emit: (happening: Happening) => void;
  clock: Clock;
  log: Log;
}

export interface StorageMoves {
  views(): StorageView[];
  /** @throws EvenkeelError not-found */
  view(name: string): StorageView;
  /** @throws EvenkeelError not-found, storage-moving, move-refused, and whatever would refuse the new place */
  begin(move: {
    name: string;
    to: StoragePlace;
    by: string;
    compareWithin: string;
    actor: string;
  }): Promise<{ warnings: string[] }>;
  /** @throws EvenkeelError not-found, move-refused */
  cancel(move: { name: string; actor: string }): Promise<void>;
  start(): () => Promise<void>;
}

const ACTOR = 'storage-move';
/** Deadlines pass without anybody saying something. */
const LOOK_EVERY_MS = 1_000;
/** Somebody else may write the storage between reading and writing. */
const TRIES = 5;

export function createStorageMoves({ store, observed, emit, clock, log }: MovesOptions): StorageMoves {
  /** Since when, by the monotonic clock, this run has seen a phase stand. */
  const watched = new Map<string, { key: string; since: number }>();
  const watch = (name: string, { id, phase }: StorageMove): number => {
    const key = `${id} ${phase}`;
    const known = watched.get(name);
    const since = known?.key === key ? known.since : clock.monotonic();
    watched.set(name, { key, since });
    return clock.monotonic() - since;
  };
  const seenNow = (): Seen => ({
    ...{ view: store.view(), epoch: store.meta().epoch, of: observed.of, now: clock.now() },
  });
  const mountsNow = (storage: Stored<'Storage'>): Mount[] => mountsOf(storage, seenNow());
  const reportOf = (name: string, { by, id }: StorageMove) => {
    const said = observed.of(by)?.storages.get(name);
    return said?.move === id ? said : undefined;
  };
  const nextNow = (storage: Stored<'Storage'>, move: StorageMove) =>
    nextOf(storage.name, storage.spec, {
      ...{ mounts: mountsNow(storage), unfenced: servesNot(storage, seenNow()) },
      ...{ report: reportOf(storage.name, move), now: clock.now() },
      watched: watch(storage.name, move),
    });
  const find = (name: string): Stored<'Storage'> => {
    const storage = store.view().Storage.get(name);
    if (!storage) throw new EvenkeelError('not-found', `there is no Storage/${name}`);
    return storage;
  };
  const write = async ({ name, revision }: Stored<'Storage'>, { spec, tells }: Step, actor: string) => {
    await store.write({ actor, edits: [editOf(name, spec, revision)], guard: 'exempt' });
    emit(tells);
  };
  const work = async (name: string): Promise<Again> => {
    const storage = store.view().Storage.get(name);
    const move = storage?.spec.move;
    if (!storage || !move) {
      watched.delete(name);
      return undefined;
    }
    const next = nextNow(storage, move);
    if ('waits' in next) return undefined;
    try {
      await write(storage, next.step, ACTOR);
    } catch (err) {
      if (!isRefusal(err)) throw err;
      await write(storage, takenBack(name, storage.spec, messageOf(err), clock.now()), ACTOR);
    }
    return undefined;
  };
  const loop = createLoop({ clock, log, work, backoff: { first: 500, cap: 5_000 } });
  const look = () => {
    for (const { name, spec } of store.view().Storage.values()) if (spec.move) loop.put(name);
  };
  const viewOf = (storage: Stored<'Storage'>): StorageView => {
    const { server, export: path, mountpoint, move } = storage.spec;
    const shown = { name: storage.name, server, export: path, mountpoint, mounts: mountsNow(storage) };
    if (!move) return shown;
    const next = nextNow(storage, move);
    return { ...shown, move: { ...move, ...moveView(move, next, reportOf(storage.name, move)) } };
  };
  return {
    views: () => [...store.view().Storage.values()].map(viewOf),
    view: (name) => viewOf(find(name)),
    begin: async ({ name, to, by, compareWithin, actor }) => {
      const storage = find(name);
      const mounts = mountsNow(storage);
      refuseBegin(storage, to, by, { mounts, view: store.view() });
      const { server, export: path } = storage.spec;
      const move: StorageMove = {
        ...{ id: randomUUID(), phase: 'copy', since: moment(clock), by },
        ...{ from: { server, export: path }, to, compareWithin },
      };
      // What would refuse the new place after hours of copying refuses it now.
      const switched = { ...storage.spec, ...to, move: { ...move, phase: 'switch' as const } };
      await store.judge({ actor, edits: [editOf(name, switched, storage.revision)], guard: 'exempt' });
      const message = `${actor} moves Storage/${name} from ${placeText(move.from)} to ${placeText(to)}; ${by} copies`;
      const tells = tale('info', 'storage.begun', name, message, { id: move.id, by });
      await write(storage, { spec: { ...storage.spec, move }, tells }, actor);
      const late = lateServer(servesNot(storage, seenNow()));
      return { warnings: [...warningsOf(mounts), ...late, ...ofQuotas(storage.spec, to)] };
    },
    cancel: async ({ name, actor }) => {
      for (let tries = 1; ; tries += 1) {
        const storage = find(name);
        if (!storage.spec.move)
          throw new EvenkeelError('move-refused', `Storage/${name} is not being moved; nothing to take back`);
        const step = takenBack(name, storage.spec, `${actor} has cancelled it`, clock.now(), 'warning');
        try {
          return await write(storage, step, actor);
        } catch (err) {
          if (!isStale(err) || tries >= TRIES) throw err;
        }
      }
    },
    start: () => {
      const undo = [store.onCommit(look), observed.onChange(look), clock.every(LOOK_EVERY_MS, look)];
      look();
      return async () => {
        for (const end of undo) end();
        await loop.stop();
      };
    },
  };
}

const editOf = (name: string, spec: StorageSpec, ifMatch: number) => ({
  ...{ op: 'put' as const, where: '', ifMatch },
  resource: { kind: 'Storage' as const, name, spec },
});

const isStale = (err: unknown): boolean => err instanceof EvenkeelError && err.code === 'stale-revision';
/** The rules do not allow it, now or later. */
const isRefusal = (err: unknown): boolean => err instanceof EvenkeelError && !err.retriable && !isStale(err);

function moveView(
  move: StorageMove,
  next: Next,
  report: StorageReport | undefined,
): Pick<NonNullable<StorageView['move']>, 'deadline' | 'waits' | 'progress'> {
  const { phase, since } = move;
  const deadline = new Date(Date.parse(since) + deadlineOf(move)).toISOString();
  const waits = 'waits' in next ? next.waits : '';
  if (report?.phase !== phase) return { deadline, waits, progress: null };
  const { at, pass, seconds, files, bytes, left } = report;
  return { deadline, waits, progress: { at, pass, seconds, files, bytes, left } };
}

/** @throws EvenkeelError storage-moving, move-refused */
function refuseBegin(
  { name, spec }: Stored<'Storage'>,
  to: StoragePlace,
  by: string,
  { mounts, view }: { mounts: readonly Mount[]; view: View },
): void {
  if (spec.move) {
    const { phase, to: other } = spec.move;
    const text = `Storage/${name} is being moved to ${placeText(other)} already (${phase}); cancel that one first, or wait`;
    throw new EvenkeelError('storage-moving', text);
  }
  const refuse = (text: string) => {
    throw new EvenkeelError('move-refused', text);
  };
  if (isDeepStrictEqual({ ...to }, { server: spec.server, export: spec.export }))
    refuse(`Storage/${name} is at ${placeText(to)} already`);
  if (typeof to.server !== 'string') {
    const node = view.Node.get(to.server.node);
    if (!node?.spec.roles.includes(SERVER_ROLE))
      refuse(`${placeText(to)}: there is no node ${to.server.node} of the role ${SERVER_ROLE}`);
  }
  const mover = mounts.find(({ node }) => node === by);
  const able = mounts.filter(({ state }) => state === 'ready').map(({ node }) => node);
  const choice = `these can: ${able.join(', ') || 'none'}`;
  if (!mover) refuse(`${by} does not mount Storage/${name}, so it cannot copy; ${choice}`);
  else if (mover.state !== 'ready') refuse(`${by} cannot copy: ${mover.why}; ${choice}`);
}

/** A copy may begin while somebody is away; it is waited for before anybody is stopped from writing. */
const warningsOf = (mounts: readonly Mount[]): string[] =>
  mounts
    .filter(({ state }) => state === 'waiting' || state === 'away')
    .map(({ node, why }) => `${node} is waited for before writing stops: ${why}`);

const lateServer = (lacks: string | null): string[] =>
  lacks === null ? [] : [`before writing stops, the old server is waited for: ${lacks}`];

const ofQuotas = ({ quotas }: StorageSpec, { server }: StoragePlace): string[] =>
  typeof server === 'string' && Object.keys(quotas).length > 0
    ? ['quotas are set only on nodes of this cluster: set them on the new server yourself']
    : [];
