/** Retention: what is older than is kept goes, in slices that let writes through; never a header, never the chain. */
import { type Clock, moment } from '../../common/clock.ts';
import { milliseconds } from '../../common/units.ts';
import type { ClusterSpec } from '../../protocol/resources/cluster.ts';
import type { Db, Queries } from './db.ts';
import type { State } from './state.ts';

type Keep = ClusterSpec['journal'];

export interface RetentionOptions {
  db: Db;
  clock: Clock;
  state: State;
  /** How many deletions each scope remembers at least; never fewer than it has resources. */
  deletions?: number;
}

const SLICE = 500;
/** Where no Cluster is declared yet. */
const defaults: Keep = { keepBodies: 200_000, keepFor: '90d' };

export async function prune({ db, clock, state, deletions = 1000 }: RetentionOptions): Promise<void> {
  const keep = state.catalogue.Cluster.get('cluster')?.spec.journal ?? defaults;
  const oldest = new Date(Math.max(0, clock.now() - milliseconds(keep.keepFor))).toISOString();
  await repeat(() => db.transaction((queries) => pruneBodies(queries, keep.keepBodies, oldest)));
  for (const [scope, { count }] of state.scopes) {
    const limit = Math.max(deletions, count);
    await repeat(() => db.transaction((queries) => forgetDeletions(queries, scope, limit)));
  }
  await forgetInvites(db, state, moment(clock));
}

/** A slice says whether another one may follow. */
async function repeat(slice: () => Promise<boolean>): Promise<void> {
  while (await slice());
}

/** Bodies go from the oldest on, so one number says how far they are gone. */
async function pruneBodies(queries: Queries, keep: number, oldest: string): Promise<boolean> {
  const marks = await queries.get<{ pruned: number; newest: number }>(
    `SELECT coalesce((SELECT value FROM meta WHERE key = 'pruned'), 0) + 0 AS pruned,
       coalesce((SELECT max(rev) FROM journal), 0) AS newest`,
  );
  const { pruned, newest } = marks ?? { pruned: 0, newest: 0 };
  const aged = await queries.get<{ rev: number | null }>(
    'SELECT max(rev) AS rev FROM journal WHERE rev > ? AND rev <= ? AND at < ?',
    pruned,
    pruned + SLICE,
    oldest,
  );
  const end = Math.max(Math.min(pruned + SLICE, newest - keep), aged?.rev ?? 0);
  if (end <= pruned) return false;
  await queries.all('UPDATE journal SET body = NULL WHERE rev > ? AND rev <= ?', pruned, end);
  await queries.all(
    `INSERT INTO meta (key, value) VALUES ('pruned', ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    String(end),
  );
  return end === pruned + SLICE;
}

/** An agent that stands before the floor gets a snapshot. */
async function forgetDeletions(queries: Queries, scope: string, keep: number): Promise<boolean> {
  const kept = await queries.get<{ deletions: number }>(
    `SELECT count(*) AS deletions FROM scope_log WHERE scope = ? AND op = 'delete'`,
    scope,
  );
  const excess = Math.min(SLICE, (kept?.deletions ?? 0) - keep);
  if (excess <= 0) return false;
  const gone = await queries.all<{ rev: number }>(
    `DELETE FROM scope_log WHERE op = 'delete' AND (scope, kind, name) IN (
       SELECT scope, kind, name FROM scope_log WHERE scope = ? AND op = 'delete' ORDER BY rev LIMIT ?)
     RETURNING rev`,
    scope,
    excess,
  );
  const floor = Math.max(...gone.map(({ rev }) => rev));
  await queries.all('UPDATE scopes SET floor = max(floor, ?) WHERE scope = ?', floor, scope);
  return excess === SLICE;
}

async function forgetInvites(db: Db, { catalogue }: State, now: string): Promise<void> {
  await db.transaction((queries) => queries.all('DELETE FROM invites WHERE expires < ?', now));
  for (const { id, expires } of [...catalogue.invites.values()])
    if (expires < now) catalogue.invites.delete(id);
}
