/** Heads: what a commit says to those who listen, with the changes of each scope where they are few. */
import type { Change, ScopeName } from '../../protocol/messages.ts';
import { canonical, keyOf } from '../../protocol/resource.ts';
import type { JournalRow } from './rows.ts';
import { basisOf, type Move, type Scope } from './scopes.ts';
import type { Commit } from './store.ts';

/** More than this does not ride in a message; the nodes pull it. */
const INLINE_BYTES = 32 * 1024;
const INLINE_CHANGES = 1000;

interface Written {
  entries: JournalRow[];
  moves: Move[];
  touched: Map<ScopeName, Scope>;
  gone: ScopeName[];
}

export function commitOf({ entries, moves, touched, gone }: Written): Commit {
  const bodies = new Map(entries.map((entry) => [keyOf(entry), entry.body]));
  const byScope = new Map<ScopeName, Move[]>();
  for (const move of moves) {
    const group = byScope.get(move.scope) ?? [];
    group.push(move);
    byScope.set(move.scope, group);
  }
  return {
    entries: entries.map(({ body: _, ...header }) => header),
    heads: [...touched.values()].map((scope) => ({
      ...basisOf(scope),
      changes: inline(byScope.get(scope.scope) ?? [], bodies),
    })),
    touches: Object.fromEntries([...touched.values()].map(({ scope, rev }) => [scope, rev])),
    gone,
  };
}

function inline(moves: Move[], bodies: Map<string, string | null>): Change[] | null {
  if (moves.length > INLINE_CHANGES) return null;
  const changes: Change[] = [];
  let bytes = 0;
  for (const move of moves) {
    const change = changeOf(move, bodies);
    if (change === null) return null;
    bytes += 'body' in change ? change.body.length : 0;
    if (bytes > INLINE_BYTES) return null;
    changes.push(change);
  }
  return changes;
}

/** Null where the body is not in memory: a site that moved without being touched. */
function changeOf({ kind, name, after }: Move, bodies: Map<string, string | null>): Change | null {
  if (!after) return { op: 'delete', kind, name };
  const body = bodies.get(keyOf({ kind, name })) ?? ('spec' in after ? canonical(after.spec) : null);
  return body === null ? null : { op: 'put', kind, name, digest: after.digest, body };
}
