/** What each scope holds, in memory: an update is judged whole before anything of it is taken. */
import type { Shrinkage, Stand } from '../../common/delta.ts';
import { createScopeSum, EMPTY_DIGEST, sha256 } from '../../common/digest.ts';
import type { Item } from '../../common/render/rendered.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Change, ScopeName } from '../../protocol/messages.ts';
import { canonical, keyOf } from '../../protocol/resource.ts';

/** Where changes lead, and whether they are the whole of the scope. */
export interface ScopeUpdate extends Stand {
  snapshot: boolean;
  changes: Change[];
}

/** An update that adds up, ready to be taken. */
export interface Judged {
  scope: ScopeName;
  stand: Stand;
  puts: Item[];
  /** Keys that leave the scope. */
  leaving: string[];
}

interface Scope {
  stand: Stand;
  items: Map<string, Item>;
}

export interface Scopes {
  names(): ScopeName[];
  stand(scope: ScopeName): Stand | null;
  preview(scope: ScopeName, update: ScopeUpdate): Record<string, Shrinkage>;
  /** In steps of a change each, between which nothing else may be taken. @throws EvenkeelError digest-mismatch */
  judge(scope: ScopeName, update: ScopeUpdate): Generator<undefined, Judged>;
  /** Says which resources are another version now than before, or gone. */
  take(judged: Judged): string[];
  drop(scope: ScopeName): string[];
  /** The version that counts: that of the scope which is furthest. */
  get(key: string): Item | undefined;
  ofKind(kind: string): ReadonlyMap<string, Item>;
  items(scope: ScopeName): Iterable<Item>;
}

const EMPTY: Scope = { stand: { epoch: 0, rev: 0, count: 0, digest: EMPTY_DIGEST }, items: new Map() };

/** The resource that a change carries, its bytes proven by its digest. @throws EvenkeelError digest-mismatch */
function itemIn({ kind, name, digest, body }: Change & { op: 'put' }): Item {
  const spec: unknown = sha256(body) === digest ? JSON.parse(body) : undefined;
  // The bytes are not kept: they are written again from the spec, so they must be its canonical form.
  if (spec === undefined || canonical(spec) !== body)
    throw new EvenkeelError('digest-mismatch', `the bytes of ${kind}/${name} do not have its digest`);
  return { kind, name, spec, digest } as Item;
}

const further = (a: Stand, b: Stand) => a.epoch - b.epoch || a.rev - b.rev;

export function createScopes(): Scopes {
  const scopes = new Map<ScopeName, Scope>();
  const visible = new Map<string, Map<string, Item>>();
  const scopeOf = (scope: ScopeName) => scopes.get(scope) ?? EMPTY;

  /** One resource is kept once, in however many scopes it is. */
  const known = (key: string, digest: string): Item | undefined => {
    for (const { items } of scopes.values()) if (items.get(key)?.digest === digest) return items.get(key);
    return undefined;
  };
  const leavingOf = ({ items }: Scope, { snapshot, changes }: ScopeUpdate): string[] => {
    const named = new Set(changes.filter(({ op }) => op === 'put').map(keyOf));
    const gone = snapshot ? items.keys() : changes.map(keyOf);
    return [...new Set(gone)].filter((key) => items.has(key) && !named.has(key));
  };
  function* judge(name: ScopeName, update: ScopeUpdate): Generator<undefined, Judged> {
    const scope = scopeOf(name);
    const sum = createScopeSum(scope.stand.digest);
    const leaving = leavingOf(scope, update);
    const puts = new Map<string, Item>();
    let { size } = scope.items;
    for (const change of update.changes) {
      if (change.op !== 'put') continue;
      const key = keyOf(change);
      puts.set(key, known(key, change.digest) ?? itemIn(change));
      yield;
    }
    for (const key of [...leaving, ...puts.keys()]) {
      const before = scope.items.get(key);
      const after = puts.get(key);
      if (before) sum.remove(before.kind, before.name, before.digest);
      if (after) sum.add(after.kind, after.name, after.digest);
      size += (after ? 1 : 0) - (before ? 1 : 0);
      yield;
    }
    const { epoch, rev, count, digest } = update;
    if (sum.hex() !== digest || size !== count)
      throw new EvenkeelError('digest-mismatch', `${name} at revision ${rev} does not add up`);
    return { scope: name, stand: { epoch, rev, count, digest }, puts: [...puts.values()], leaving };
  }
  const show = (key: string): boolean => {
    const [kind, name] = split(key);
    let holder: Scope | undefined;
    for (const scope of scopes.values())
      if (scope.items.has(key) && (!holder || further(scope.stand, holder.stand) > 0)) holder = scope;
    const item = holder?.items.get(key);
    const shown = visible.get(kind) ?? new Map<string, Item>();
    visible.set(kind, shown);
    const changed = shown.get(name)?.digest !== item?.digest;
    if (item) shown.set(name, item);
    else shown.delete(name);
    return changed;
  };
  return {
    names: () => [...scopes.keys()],
    stand: (scope) => scopes.get(scope)?.stand ?? null,
    preview: (name, update) => {
      const scope = scopeOf(name);
      // Without a prototype: a kind may have any name.
      const kinds: Record<string, Shrinkage> = Object.create(null);
      const kindOf = (kind: string) => {
        kinds[kind] ??= { had: 0, removed: 0 };
        return kinds[kind];
      };
      for (const { kind } of scope.items.values()) kindOf(kind).had += 1;
      for (const key of leavingOf(scope, update)) kindOf(split(key)[0]).removed += 1;
      return kinds;
    },
    judge,
    take: ({ scope: name, stand, puts, leaving }) => {
      const scope = scopes.get(name) ?? { stand, items: new Map<string, Item>() };
      scope.stand = stand;
      scopes.set(name, scope);
      for (const key of leaving) scope.items.delete(key);
      for (const item of puts) scope.items.set(keyOf(item), item);
      return [...leaving, ...puts.map(keyOf)].filter(show);
    },
    drop: (name) => {
      const keys = [...scopeOf(name).items.keys()];
      scopes.delete(name);
      return keys.filter(show);
    },
    get: (key) => {
      const [kind, name] = split(key);
      return visible.get(kind)?.get(name);
    },
    ofKind: (kind) => visible.get(kind) ?? new Map(),
    items: (scope) => scopeOf(scope).items.values(),
  };
}

/** `Template/vhost/nginx.conf.hbs` → kind and name: a kind has no slash, a name may. */
export const split = (key: string): [kind: string, name: string] => {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
};
