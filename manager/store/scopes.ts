/** Scopes: what a batch moves into, out of and within them, and where each stands afterwards. */
import { createScopeSum, EMPTY_DIGEST } from '../../common/digest.ts';
import type { Interests, Rules } from '../../common/rules.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import { canonical, type Kind, kindNames } from '../../protocol/resource.ts';
import { createBreath } from './breath.ts';
import { type Catalogue, type Draft, type Entry, tableOf } from './catalogue.ts';
import type { HeadBasis } from './store.ts';

/** A scope as it is kept. */
export interface Scope extends HeadBasis {
  /** Deletions up to this revision are forgotten. */
  floor: number;
}

/** One resource of one scope, before and after; undefined where it is not in the scope. */
export interface Move {
  scope: ScopeName;
  kind: Kind;
  name: string;
  before: Entry | undefined;
  after: Entry | undefined;
}

/** What the scopes are computed from. */
export interface Selection {
  interests: Interests;
  followed: ReadonlySet<ScopeName>;
}

export const selectionOf = (catalogue: Catalogue | Draft, rules: Rules): Selection => ({
  interests: rules.interestsOf(catalogue),
  followed: rules.followedScopes(catalogue),
});

/** The selection after a batch: the same one unless something that it is made from has changed. */
export function selectionAfter(draft: Draft, before: Selection, rules: Rules): Selection {
  const touched = (kind: Kind) => [...draft[kind].changed()].length > 0;
  if (!touched('Policy') && !touched('Template') && !touched('Node')) return before;
  return selectionOf(draft, rules);
}

/** Everything that a batch changes in scopes. A policy, node or template moves resources that the batch does not touch. */
export async function movesOf(
  catalogue: Catalogue,
  draft: Draft,
  selection: { before: Selection; after: Selection },
  rules: Rules,
): Promise<Move[]> {
  const moves: Move[] = [];
  const scopes = (entry: Entry | undefined, { interests }: Selection) =>
    entry ? rules.scopesOf(entry, interests) : [];
  const look = (kind: Kind, name: string, before: Entry | undefined, after: Entry | undefined) => {
    const [had, has] = [scopes(before, selection.before), scopes(after, selection.after)];
    for (const scope of had)
      if (!has.includes(scope)) moves.push({ scope, kind, name, before, after: undefined });
    for (const scope of has) {
      const known = had.includes(scope) ? before : undefined;
      if (known?.digest !== after?.digest) moves.push({ scope, kind, name, before: known, after });
    }
  };
  const breathe = createBreath();
  for (const kind of kindNames) {
    const below = tableOf(catalogue, kind);
    const touched = new Map(tableOf(draft, kind).changed());
    for (const [name, after] of touched) {
      look(kind, name, below.get(name), after);
      await breathe();
    }
    if (sameFor(kind, selection)) continue;
    for (const entry of below.values()) {
      if (!touched.has(entry.name)) look(kind, entry.name, entry, entry);
      await breathe();
    }
  }
  return moves;
}

const sameFor = (kind: Kind, { before, after }: { before: Selection; after: Selection }): boolean =>
  before === after || canonical(before.interests[kind]) === canonical(after.interests[kind]);

export interface ScopeResult {
  /** The new stand of each touched scope. */
  touched: Map<ScopeName, Scope>;
  /** Touched, empty, and followed by nobody any more. */
  gone: ScopeName[];
}

/** Where the scopes stand at a revision after these moves. Scopes that begin to be followed get a head as well. */
export async function standAfter(
  scopes: ReadonlyMap<ScopeName, Scope>,
  moves: Move[],
  {
    followed,
    at,
    shrinks,
  }: { followed: ReadonlySet<ScopeName>; at: { epoch: number; rev: number }; shrinks: boolean },
): Promise<ScopeResult> {
  const byScope = new Map<ScopeName, Move[]>();
  for (const scope of followed) if (!scopes.has(scope)) byScope.set(scope, []);
  for (const scope of scopes.keys()) if (!followed.has(scope)) byScope.set(scope, []);
  for (const move of moves) {
    const group = byScope.get(move.scope) ?? [];
    group.push(move);
    byScope.set(move.scope, group);
  }
  const touched = new Map<ScopeName, Scope>();
  for (const [scope, group] of byScope) {
    const moved = await moveScope(scopes.get(scope) ?? emptyScope(scope, at), group);
    touched.set(scope, { ...moved, ...at, ...(shrinks ? { shrink: at } : {}) });
  }
  const gone = [...touched.values()].filter(({ scope, count }) => count === 0 && !followed.has(scope));
  return { touched, gone: gone.map(({ scope }) => scope) };
}

/** What it held in an earlier life is forgotten, so the floor is where it begins. */
const emptyScope = (scope: ScopeName, { epoch, rev }: { epoch: number; rev: number }): Scope => ({
  scope,
  epoch,
  rev: 0,
  since: 0,
  count: 0,
  digest: EMPTY_DIGEST,
  floor: rev,
});

async function moveScope(scope: Scope, moves: Move[]): Promise<Scope> {
  const sum = createScopeSum(scope.digest);
  let { count } = scope;
  const breathe = createBreath();
  for (const { kind, name, before, after } of moves) {
    if (before) sum.remove(kind, name, before.digest);
    if (after) sum.add(kind, name, after.digest);
    count += (after ? 1 : 0) - (before ? 1 : 0);
    await breathe();
  }
  return { ...scope, since: scope.rev, count, digest: sum.hex() };
}

/** What heads say in public. */
export function basisOf({ scope, epoch, rev, since, count, digest, shrink }: Scope): HeadBasis {
  return { scope, epoch, rev, since, count, digest, ...(shrink ? { shrink } : {}) };
}
