/** The state in memory: what the last COMMIT left, read from disk at the start and again after a failure. */

import type { Invite } from '../../common/invite.ts';
import type { Rules } from '../../common/rules.ts';
import type { SiteStub, Stored } from '../../common/view.ts';
import { type Kind, kindNames } from '../../protocol/resource.ts';
import { type Catalogue, createCatalogue, hold } from './catalogue.ts';
import { genesis } from './chain.ts';
import type { Db, Queries } from './db.ts';
import { type Scope, type Selection, selectionOf } from './scopes.ts';
import type { Meta } from './store.ts';

export type Moved = Record<Kind, number>;

export interface State {
  cluster: string;
  created: string;
  epoch: number;
  revision: number;
  /** The link of the last entry. */
  chain: string;
  /** Of each kind the revision after which nothing of it was written. */
  moved: Moved;
  mode: 'serving' | 'held';
  reason: string | undefined;
  catalogue: Catalogue;
  selection: Selection;
  scopes: Map<string, Scope>;
}

export const allMoved = (revision: number): Moved =>
  Object.fromEntries(kindNames.map((kind) => [kind, revision])) as Moved;

export const metaOf = (
  { cluster, created, epoch, revision, mode, reason }: State,
  damage?: string,
): Meta => ({
  cluster,
  created,
  epoch,
  revision,
  mode: damage === undefined ? mode : 'held',
  ...((damage ?? reason) === undefined ? {} : { reason: damage ?? reason }),
  damaged: damage !== undefined,
});

type Reads = Pick<Queries, 'all' | 'get'>;

const PAGE = 2000;

/** All of one moment. @throws EvenkeelError store-failed when it cannot be read */
export const loadState = (db: Db, rules: Rules): Promise<State> =>
  db.snapshot(async (queries) => {
    const catalogue = createCatalogue();
    await loadSmall(queries, catalogue);
    await loadSites(queries, catalogue);
    for (const invite of await keptInvites(queries)) catalogue.invites.set(invite.id, invite);
    const meta = await loadMeta(queries);
    const tail = await queries.get<{ rev: number; chain: string }>(
      'SELECT rev, chain FROM journal ORDER BY rev DESC LIMIT 1',
    );
    return {
      cluster: meta.cluster ?? '',
      created: meta.created ?? '',
      epoch: Number(meta.epoch ?? 0),
      revision: tail?.rev ?? 0,
      moved: allMoved(tail?.rev ?? 0),
      chain: tail?.chain ?? genesis(meta.cluster ?? ''),
      mode: meta.mode === 'held' ? 'held' : 'serving',
      reason: meta.reason,
      catalogue,
      selection: selectionOf(catalogue, rules),
      scopes: await loadScopes(queries),
    };
  });

async function loadMeta(queries: Reads): Promise<Record<string, string | undefined>> {
  const rows = await queries.all<{ key: string; value: string }>('SELECT key, value FROM meta');
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

async function loadSmall(queries: Reads, catalogue: Catalogue): Promise<void> {
  const rows = await queries.all<{ kind: Kind; name: string; rev: number; digest: string; body: string }>(
    `SELECT kind, name, rev, digest, body FROM resources WHERE kind <> 'Site'`,
  );
  const entries = rows.map(({ kind, name, rev, digest, body }) => {
    const spec: unknown = JSON.parse(body);
    return { kind, name, spec, revision: rev, digest } as Stored;
  });
  await hold(catalogue, entries, []);
}

/** Sites in pages, and of each only what deciders need. */
async function loadSites(queries: Reads, catalogue: Catalogue): Promise<void> {
  for (let after = ''; ; ) {
    const rows = await queries.all<{
      name: string;
      rev: number;
      digest: string;
      aliases: string;
      isDefault: number;
    }>(
      `SELECT name, rev, digest, body->'$.aliases' AS aliases, body->>'$.defaultServer' AS isDefault
       FROM resources WHERE kind = 'Site' AND name > ? ORDER BY name LIMIT ${PAGE}`,
      after,
    );
    const stubs = rows.map(({ name, rev, digest, aliases, isDefault }): SiteStub => {
      const names = JSON.parse(aliases) as string[];
      return { kind: 'Site', name, revision: rev, digest, aliases: names, defaultServer: isDefault === 1 };
    });
    await hold(catalogue, stubs, []);
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last.name;
  }
}

/** An earlier version has not kept by whom one was used: such a one opens nothing. */
async function keptInvites(queries: Reads): Promise<Invite[]> {
  const rows = await queries.all<{ record: string }>(
    `SELECT record FROM invites WHERE used = 0 OR record->'$.claim' IS NOT NULL OR record->'$.revoked' IS NOT NULL`,
  );
  const before = { by: 'an earlier version', made: '', approve: false };
  return rows.map(({ record }) => ({ ...before, ...(JSON.parse(record) as Invite) }));
}

export interface ScopeRow extends Omit<Scope, 'shrink'> {
  shrink_epoch: number | null;
  shrink_rev: number | null;
}

export async function loadScopes(queries: Reads): Promise<Map<string, Scope>> {
  const rows = await queries.all<ScopeRow>('SELECT * FROM scopes ORDER BY scope');
  return new Map(rows.map((row) => [row.scope, scopeOf(row)]));
}

export function scopeOf({ shrink_epoch, shrink_rev, ...scope }: ScopeRow): Scope {
  if (shrink_epoch === null || shrink_rev === null) return scope;
  return { ...scope, shrink: { epoch: shrink_epoch, rev: shrink_rev } };
}
