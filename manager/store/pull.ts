/** Pulls: what happened in a scope since a revision, read from one moment of the database. */
import { EMPTY_DIGEST } from '../../common/digest.ts';
import type { Rules } from '../../common/rules.ts';
import type { Change, ScopeName } from '../../protocol/messages.ts';
import type { Db } from './db.ts';
import { basisOf } from './scopes.ts';
import { type ScopeRow, scopeOf } from './state.ts';
import type { ScopeChanges } from './store.ts';

interface ChangeRow {
  kind: string;
  name: string;
  op: 'put' | 'delete';
  digest: string | null;
  body: string | null;
}

const select = `SELECT l.kind, l.name, l.op, r.digest, r.body
  FROM scope_log l LEFT JOIN resources r ON r.kind = l.kind AND r.name = l.name`;

export interface Pull {
  scope: ScopeName;
  epoch: number;
  since: number;
}

/** @param storeEpoch what a scope that is not known stands in: it is empty, at revision zero */
export const pull = (
  db: Db,
  rules: Rules,
  { scope, epoch, since }: Pull,
  storeEpoch: number,
): Promise<ScopeChanges> =>
  db.snapshot(async (queries) => {
    const row = await queries.get<ScopeRow>('SELECT * FROM scopes WHERE scope = ?', scope);
    if (!row)
      return { scope, epoch: storeEpoch, rev: 0, since: null, count: 0, digest: EMPTY_DIGEST, changes: [] };
    const head = scopeOf(row);
    const isDelta = rules.decide({ epoch, since, head, floor: head.floor }) === 'delta';
    const rows = isDelta
      ? await queries.all<ChangeRow>(`${select} WHERE l.scope = ? AND l.rev > ? ORDER BY l.rev`, scope, since)
      : await queries.all<ChangeRow>(`${select} WHERE l.scope = ? AND l.op = 'put'`, scope);
    return { ...basisOf(head), since: isDelta ? since : null, changes: rows.map(changeOf) };
  });

function changeOf({ kind, name, op, digest, body }: ChangeRow): Change {
  if (op === 'delete' || digest === null || body === null) return { op: 'delete', kind, name };
  return { op, kind, name, digest, body };
}
