/** A journal in memory, for tests of what stands around the store: revisions, scopes, sums and deltas as the store makes them. */
import { createScopeSum, type ScopeSum, sha256 } from '../../common/digest.ts';
import type { Change, ScopeName } from '../../protocol/messages.ts';
import { canonical } from '../../protocol/resource.ts';

interface Head {
  scope: ScopeName;
  epoch: number;
  rev: number;
  since: number;
  count: number;
  digest: string;
  shrink?: { epoch: number; rev: number };
}
export interface TestCommit {
  heads: (Head & { changes: Change[] | null })[];
  touches: Record<ScopeName, number>;
  gone: ScopeName[];
}
export interface TestEdit {
  kind: string;
  name: string;
  scopes: ScopeName[];
  /** Absent: delete. */
  spec?: unknown;
}

interface Scope {
  sum: ScopeSum;
  items: Map<string, Change & { op: 'put' }>;
  log: { rev: number; change: Change }[];
  rev: number;
  since: number;
}

export type TestJournal = ReturnType<typeof createJournal>;

export function createJournal(cluster = 'cluster-1') {
  const scopes = new Map<ScopeName, Scope>();
  const listeners = new Set<(commit: TestCommit) => void>();
  const state = { epoch: 1, revision: 0, mode: 'serving' as 'serving' | 'held', reason: '' };
  let shrink: { epoch: number; rev: number } | undefined;

  const scopeOf = (name: ScopeName): Scope => {
    const known = scopes.get(name);
    if (known) return known;
    const made: Scope = { sum: createScopeSum(), items: new Map(), log: [], rev: 0, since: 0 };
    scopes.set(name, made);
    return made;
  };
  const headOf = (scope: ScopeName): Head => {
    const { sum, items, rev, since } = scopeOf(scope);
    const basis = { scope, epoch: state.epoch, rev, since, count: items.size, digest: sum.hex() };
    return shrink ? { ...basis, shrink } : basis;
  };
  const alter = (scope: Scope, change: Change) => {
    const key = `${change.kind}/${change.name}`;
    const before = scope.items.get(key);
    if (before) scope.sum.remove(before.kind, before.name, before.digest);
    scope.items.delete(key);
    if (change.op === 'put') {
      scope.items.set(key, change);
      scope.sum.add(change.kind, change.name, change.digest);
    }
    scope.log.push({ rev: state.revision, change });
  };
  const changeOf = ({ kind, name, spec }: TestEdit): Change => {
    if (spec === undefined) return { op: 'delete', kind, name };
    const body = canonical(spec);
    return { op: 'put', kind, name, body, digest: sha256(body) };
  };
  return {
    cluster,
    state,
    commit: (edits: TestEdit[]) => {
      const touched = new Map<ScopeName, Change[]>();
      const before = new Map([...scopes].map(([name, { rev }]) => [name, rev]));
      for (const edit of edits) {
        state.revision += 1;
        for (const scope of edit.scopes) {
          const change = changeOf(edit);
          alter(scopeOf(scope), change);
          scopeOf(scope).rev = state.revision;
          touched.set(scope, [...(touched.get(scope) ?? []), change]);
        }
      }
      for (const name of touched.keys()) scopeOf(name).since = before.get(name) ?? 0;
      const heads = [...touched].map(([scope, changes]) => ({ ...headOf(scope), changes }));
      const touches = Object.fromEntries(heads.map(({ scope, rev }) => [scope, rev]));
      for (const listener of listeners) listener({ heads, touches, gone: [] });
    },
    heads: () => [...scopes.keys()].map(headOf),
    head: (scope: ScopeName) => (scopes.has(scope) ? headOf(scope) : undefined),
    meta: () => ({ ...state }),
    hold: async (reason: string) => {
      state.mode = 'held';
      state.reason = reason;
    },
    resume: (allow: boolean) => {
      state.mode = 'serving';
      state.epoch += 1;
      if (allow) shrink = { epoch: state.epoch, rev: state.revision };
    },
    onCommit: (listener: (commit: TestCommit) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    changes: async (scope: ScopeName, epoch: number, since: number) => {
      const { since: _, ...basis } = headOf(scope);
      const known = scopeOf(scope);
      if (epoch !== state.epoch || since > known.rev)
        return { ...basis, since: null, changes: [...known.items.values()] };
      const after = known.log.filter(({ rev }) => rev > since).map(({ change }) => change);
      const last = new Map(after.map((change) => [`${change.kind}/${change.name}`, change]));
      return { ...basis, since, changes: [...last.values()] };
    },
  };
}
