/** Rows: a batch as it goes to disk, one statement a table whatever the size of the batch. */

import type { Invite } from '../../common/invite.ts';
import { keyOf } from '../../protocol/resource.ts';
import type { Header } from './chain.ts';
import type { Queries } from './db.ts';
import type { Move, Scope } from './scopes.ts';

export interface JournalRow extends Header {
  body: string | null;
}

/** Everything that one transaction writes. */
export interface Batch {
  entries: JournalRow[];
  moves: Move[];
  scopes: Scope[];
  gone: string[];
  invites: Invite[];
}

/** Rows that are sent to SQLite at once, so that a large batch does not need a text of its whole size. */
const CHUNK = 5000;

/** The floor of a scope is raised by retention alone, so it is written when the scope begins and then left. */
const statements = {
  journal: `INSERT INTO journal (rev, epoch, at, actor, kind, name, op, digest, chain, body)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9
    FROM json_each(?)`,
  resources: `INSERT INTO resources (kind, name, rev, digest, body)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
    ON CONFLICT (kind, name) DO UPDATE SET rev = excluded.rev, digest = excluded.digest, body = excluded.body`,
  deletions: `DELETE FROM resources WHERE (kind, name) IN (SELECT value->>0, value->>1 FROM json_each(?))`,
  log: `INSERT INTO scope_log (scope, kind, name, rev, op)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
    ON CONFLICT (scope, kind, name) DO UPDATE SET rev = excluded.rev, op = excluded.op`,
  scopes: `INSERT INTO scopes (scope, epoch, rev, since, count, digest, floor, shrink_epoch, shrink_rev)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8
    FROM json_each(?) WHERE true
    ON CONFLICT (scope) DO UPDATE SET epoch = excluded.epoch, rev = excluded.rev, since = excluded.since,
      count = excluded.count, digest = excluded.digest,
      shrink_epoch = excluded.shrink_epoch, shrink_rev = excluded.shrink_rev`,
  goneScopes: `DELETE FROM scopes WHERE scope IN (SELECT value FROM json_each(?))`,
  goneLog: `DELETE FROM scope_log WHERE scope IN (SELECT value FROM json_each(?))`,
  invites: `INSERT INTO invites (id, hash, expires, used, record)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET used = excluded.used, record = excluded.record`,
};

export async function writeBatch(queries: Queries, batch: Batch): Promise<void> {
  const { entries, moves, scopes, gone, invites } = batch;
  const insert = async (sql: string, rows: unknown[]) => {
    for (let at = 0; at < rows.length; at += CHUNK)
      await queries.all(sql, JSON.stringify(rows.slice(at, at + CHUNK)));
  };
  await insert(statements.journal, entries.map(journalRow));
  const last = new Map(entries.map((entry) => [keyOf(entry), entry]));
  const [puts, deletions] = [[...last.values()].filter(isPut), [...last.values()].filter(isDeletion)];
  await insert(
    statements.resources,
    puts.map(({ kind, name, rev, digest, body }) => [kind, name, rev, digest, body]),
  );
  await insert(
    statements.deletions,
    deletions.map(({ kind, name }) => [kind, name]),
  );
  await insert(statements.log, moves.map(logRow(new Map(scopes.map(({ scope, rev }) => [scope, rev])))));
  await insert(statements.scopes, scopes.map(scopeRow));
  await insert(statements.goneScopes, gone);
  await insert(statements.goneLog, gone);
  await insert(statements.invites, invites.map(inviteRow));
}

const isPut = ({ op }: JournalRow) => op === 'put';
const isDeletion = ({ op }: JournalRow) => op === 'delete';

const journalRow = ({ rev, epoch, at, actor, kind, name, op, digest, chain, body }: JournalRow) => [
  rev,
  epoch,
  at,
  actor,
  kind,
  name,
  op,
  digest,
  chain,
  body,
];

/** `used` is what a version before this one asks. */
const inviteRow = (invite: Invite) => {
  const { id, hash, expires, claim, revoked } = invite;
  return [id, hash, expires, claim || revoked ? 1 : 0, JSON.stringify(invite)];
};

const logRow =
  (revisions: Map<string, number>) =>
  ({ scope, kind, name, after }: Move) => [scope, kind, name, revisions.get(scope), after ? 'put' : 'delete'];

const scopeRow = ({ scope, epoch, rev, since, count, digest, floor, shrink }: Scope) => [
  scope,
  epoch,
  rev,
  since,
  count,
  digest,
  floor,
  shrink?.epoch ?? null,
  shrink?.rev ?? null,
];
