/** Heads in, desired state out: each scope is brought to its head by what rides along or by a pull, and nothing older is believed. */
import type { Clock } from '../../common/clock.ts';
import { decideChanges, decideHead, type Shrinkage, type Stand, shrinksTooMuch } from '../../common/delta.ts';
import type { Log } from '../../common/log.ts';
import { type Again, createLoop } from '../../common/loop.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Change, Changes, Head, ScopeName } from '../../protocol/messages.ts';
import type { Alarms } from './alarms.ts';
import type { Pull } from './pull.ts';
import { createTogether } from './together.ts';

/** Where changes lead, and whether they are the whole of the scope. */
export interface ScopeUpdate extends Stand {
  snapshot: boolean;
  changes: Change[];
}

/** What the link needs of the desired state on disk. */
export interface DesiredState {
  /** Null when there was never anything of the scope. */
  stand(scope: ScopeName): Stand | null;
  /** How many of each kind the scope has, and how many the update would take away. Changes nothing. */
  preview(scope: ScopeName, update: ScopeUpdate): Record<string, Shrinkage>;
  /** Keeps the update and says which resources changed. @throws EvenkeelError digest-mismatch or write-failed, and then nothing was kept */
  apply(scope: ScopeName, update: ScopeUpdate): Promise<string[]>;
}

export interface ReceiverOptions {
  cluster: string;
  desired: DesiredState;
  pull: Pull;
  alarms: Alarms;
  /** Whether the node follows a scope now. */
  follows: (scope: ScopeName) => boolean;
  /** Resources changed on disk, and all scopes that changed with them are there. */
  applied: (keys: string[]) => void;
  /** Something of a scope arrived when the node followed it no more. */
  stray: () => void;
  clock: Clock;
  log: Log;
}

export interface Receiver {
  /** Takes a head whose signature holds. */
  head(head: Head): void;
  /** A scope is not followed any more. */
  forget(scope: ScopeName): void;
  counts(): { inline: number; pulls: number; mismatches: number; refused: number };
  /** Waits until nothing is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** A head that was on its way while a pull overtook it looks as if the manager had gone back, for a moment. */
const GRACE_MS = 3_000;
const SNAPSHOT = { epoch: 0, since: 0 };

export function createReceiver(options: ReceiverOptions): Receiver {
  const { cluster, desired, pull, alarms, follows, applied, stray, clock, log } = options;
  const heads = new Map<ScopeName, Head>();
  const suspectSince = new Map<ScopeName, number>();
  const counts = { inline: 0, pulls: 0, mismatches: 0, refused: 0 };

  const keep = async (scope: ScopeName, update: ScopeUpdate, touches: Head['touches']) => {
    const isFirst = desired.stand(scope) === null;
    const keys = await desired.apply(scope, update).catch((err: unknown) => notKept(scope, err));
    together.landed(keys, touches, isFirst);
    believed(scope);
    if (!follows(scope)) stray();
  };
  /** A disk that takes nothing would else look, from afar, as if the node were only slow. */
  const notKept = (scope: ScopeName, err: unknown): never => {
    if (err instanceof EvenkeelError && err.code === 'write-failed')
      alarms.raise(err.code, scope, err.message);
    throw err;
  };
  const believed = (scope: ScopeName) => {
    suspectSince.delete(scope);
    alarms.clear('manager-went-back', scope);
    alarms.clear('snapshot-refused', scope);
    alarms.clear('write-failed', scope);
  };
  const wentBack = (scope: ScopeName, reason: string): Again => {
    const since = suspectSince.get(scope) ?? clock.monotonic();
    suspectSince.set(scope, since);
    const left = since + GRACE_MS - clock.monotonic();
    if (left > 0) return { againAfter: left };
    counts.refused += 1;
    alarms.raise('manager-went-back', scope, reason);
    return undefined;
  };
  const bring = async (scope: ScopeName): Promise<Again> => {
    const head = heads.get(scope);
    if (!follows(scope)) return undefined;
    if (!head) return fetch(scope, desired.stand(scope) ?? { epoch: 0, rev: 0 });
    const decision = decideHead(cluster, desired.stand(scope), head);
    if (decision.act === 'refuse') return wentBack(scope, decision.reason);
    if (decision.act === 'pull') return fetch(scope, { epoch: decision.epoch, rev: decision.since });
    if (decision.act === 'apply') return inline(scope, head, decision.changes);
    believed(scope);
    return together.missing(scope) ? fetch(scope, head) : undefined;
  };
  const inline = async (scope: ScopeName, head: Head, changes: Change[]): Promise<Again> => {
    try {
      await keep(scope, { ...standOf(head), snapshot: false, changes }, head.touches);
      counts.inline += 1;
      return undefined;
    } catch (err) {
      doubt(scope, err);
      return fetch(scope, { epoch: SNAPSHOT.epoch, rev: SNAPSHOT.since });
    }
  };
  /** What does not add up is counted and asked for whole; anything else is an error. */
  const doubt = (scope: ScopeName, err: unknown) => {
    if (!(err instanceof EvenkeelError) || err.code !== 'digest-mismatch') throw err;
    counts.mismatches += 1;
    log.warn(
      { scope, mismatches: counts.mismatches },
      'what was received does not add up; asking for a snapshot',
    );
  };
  const fetch = async (scope: ScopeName, from: { epoch: number; rev: number }): Promise<Again> => {
    counts.pulls += 1;
    const pulled = await pull(scope, from.epoch, from.rev);
    if ('againAfter' in pulled) return pulled;
    const decision = decideChanges(cluster, desired.stand(scope), pulled.changes);
    if (decision.act === 'refuse') return wentBack(scope, decision.reason);
    const asSnapshot = from.epoch === SNAPSHOT.epoch && from.rev === SNAPSHOT.since;
    if (decision.act === 'apply') return take(scope, pulled.changes, decision.snapshot, asSnapshot);
    if (asSnapshot) throw new EvenkeelError('digest-mismatch', `the answer for ${scope} begins elsewhere`);
    return fetch(scope, { epoch: SNAPSHOT.epoch, rev: SNAPSHOT.since });
  };
  const take = async (
    scope: ScopeName,
    answer: Changes,
    snapshot: boolean,
    last: boolean,
  ): Promise<Again> => {
    const update = { ...standOf(answer), snapshot, changes: answer.changes };
    if (snapshot && isRefused(scope, update, answer)) return undefined;
    try {
      await keep(scope, update, heads.get(scope)?.touches ?? {});
      return undefined;
    } catch (err) {
      doubt(scope, err);
      if (last) throw err;
      return fetch(scope, { epoch: SNAPSHOT.epoch, rev: SNAPSHOT.since });
    }
  };
  const isRefused = (scope: ScopeName, update: ScopeUpdate, { shrink }: Changes): boolean => {
    const kinds = desired.preview(scope, update);
    const refused = shrinksTooMuch(desired.stand(scope), kinds, shrink);
    if (refused.length === 0) return false;
    counts.refused += 1;
    const figures = refused
      .map((kind) => `${kinds[kind]?.removed} of ${kinds[kind]?.had} ${kind}`)
      .join(', ');
    alarms.raise('snapshot-refused', scope, `the snapshot would remove ${figures}`);
    return true;
  };
  const loop = createLoop({ clock, log, work: bring, backoff: { first: 500, cap: 30_000 } });
  const together = createTogether({ stand: desired.stand, follows, ask: loop.put, applied, clock, log });
  return {
    head: (head) => {
      heads.set(head.scope, head);
      loop.put(head.scope);
    },
    forget: (scope) => {
      heads.delete(scope);
      suspectSince.delete(scope);
    },
    counts: () => ({ ...counts }),
    idle: loop.idle,
    stop: async () => {
      together.stop();
      await loop.stop();
    },
  };
}

const standOf = ({ epoch, rev, count, digest }: Stand): Stand => ({ epoch, rev, count, digest });
