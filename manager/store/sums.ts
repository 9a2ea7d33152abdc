/** Scope sums: recomputed from what each scope holds, and compared with what its head says. */
import { createScopeSum, type ScopeSum } from '../../common/digest.ts';
import type { Rules } from '../../common/rules.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import { kindNames } from '../../protocol/resource.ts';
import { tableOf } from './catalogue.ts';
import type { Queries } from './db.ts';
import type { Scope } from './scopes.ts';
import { loadScopes, type State } from './state.ts';

type Reads = Pick<Queries, 'all' | 'get'>;

interface Sum {
  sum: ScopeSum;
  count: number;
}

interface Member {
  kind: string;
  name: string;
  digest: string;
}

const PAGE = 2000;
const page = `SELECT l.kind, l.name, r.digest
  FROM scope_log l LEFT JOIN resources r ON r.kind = l.kind AND r.name = l.name
  WHERE l.scope = ? AND l.op = 'put' AND (l.kind, l.name) > (?, ?) ORDER BY l.kind, l.name LIMIT ${PAGE}`;

/** By what the log says is in each scope. */
export async function scopeProblems(queries: Reads): Promise<{ scopes: number; problems: string[] }> {
  const scopes = await loadScopes(queries);
  const problems: string[] = [];
  for (const scope of scopes.values())
    problems.push(...differences(scope, await sumOf(queries, scope.scope)));
  return { scopes: scopes.size, problems };
}

async function sumOf(queries: Reads, scope: ScopeName): Promise<Sum> {
  const total: Sum = { sum: createScopeSum(), count: 0 };
  for (let after = { kind: '', name: '' }; ; ) {
    const members = await queries.all<Member>(page, scope, after.kind, after.name);
    for (const member of members) add(total, member);
    const last = members.at(-1);
    if (!last || members.length < PAGE) return total;
    after = last;
  }
}

/** By what the rules say should be in each scope. */
export function selectionProblems({ catalogue, scopes, selection }: State, rules: Rules): string[] {
  const sums = new Map<ScopeName, Sum>();
  for (const kind of kindNames)
    for (const entry of tableOf(catalogue, kind).values())
      for (const scope of rules.scopesOf(entry, selection.interests)) {
        const total = sums.get(scope) ?? { sum: createScopeSum(), count: 0 };
        sums.set(scope, total);
        add(total, entry);
      }
  const empty: Sum = { sum: createScopeSum(), count: 0 };
  const missing = [...sums.keys()].filter((scope) => !scopes.has(scope));
  return [
    ...missing.map((scope) => `scope ${scope}: there is no head for it`),
    ...[...scopes.values()].flatMap((scope) => differences(scope, sums.get(scope.scope) ?? empty)),
  ];
}

function add(total: Sum, { kind, name, digest }: Member): void {
  total.sum.add(kind, name, digest ?? '');
  total.count += 1;
}

function differences({ scope, count, digest }: Scope, found: Sum): string[] {
  if (found.count !== count)
    return [`scope ${scope}: holds ${found.count} resources, its head says ${count}`];
  return found.sum.hex() === digest ? [] : [`scope ${scope}: its content does not add up to its digest`];
}
