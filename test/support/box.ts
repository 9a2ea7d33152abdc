/** The desired state of one box in memory, for tests of the link: as strict about digests as the one on disk. */
import type { Stand } from '../../common/delta.ts';
import { createScopeSum } from '../../common/digest.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Change, ScopeName } from '../../protocol/messages.ts';

interface Update extends Stand {
  snapshot: boolean;
  changes: Change[];
}
type Items = Map<string, Change & { op: 'put' }>;

export type Box = ReturnType<typeof createBox>;

export function createBox() {
  const scopes = new Map<ScopeName, { stand: Stand; items: Items }>();
  const history: { scope: ScopeName; rev: number; snapshot: boolean }[] = [];
  const after = (scope: ScopeName, { snapshot, changes }: Update): Items => {
    const items: Items = new Map(snapshot ? [] : scopes.get(scope)?.items);
    for (const change of changes) {
      const key = `${change.kind}/${change.name}`;
      if (change.op === 'put') items.set(key, change);
      else items.delete(key);
    }
    return items;
  };
  const get = (kind: string, name: string) => {
    for (const { items } of scopes.values()) {
      const found = items.get(`${kind}/${name}`);
      if (found) return { spec: JSON.parse(found.body) };
    }
    return undefined;
  };
  return {
    history,
    /** What is kept, by scope: for comparing with a journal. */
    stands: () => Object.fromEntries([...scopes].map(([scope, { stand }]) => [scope, stand])),
    /** Damages what is kept without a trace, as a lost delta would. */
    plant: (scope: ScopeName, key: string) => scopes.get(scope)?.items.delete(key),
    scopes: () => [...scopes.keys()],
    stand: (scope: ScopeName) => scopes.get(scope)?.stand ?? null,
    preview: (scope: ScopeName, update: Update) => {
      const kinds: Record<string, { had: number; removed: number }> = {};
      const next = after(scope, update);
      for (const [key, { kind }] of scopes.get(scope)?.items ?? []) {
        kinds[kind] ??= { had: 0, removed: 0 };
        kinds[kind].had += 1;
        if (!next.has(key)) kinds[kind].removed += 1;
      }
      return kinds;
    },
    apply: async (scope: ScopeName, update: Update): Promise<string[]> => {
      const items = after(scope, update);
      const sum = createScopeSum();
      for (const { kind, name, digest } of items.values()) sum.add(kind, name, digest);
      const { epoch, rev, count, digest } = update;
      if (sum.hex() !== digest || items.size !== count)
        throw new EvenkeelError('digest-mismatch', `${scope} does not add up`);
      const before = scopes.get(scope)?.items ?? new Map();
      scopes.set(scope, { stand: { epoch, rev, count, digest }, items });
      history.push({ scope, rev, snapshot: update.snapshot });
      const keys = new Set([...before.keys(), ...items.keys()]);
      return [...keys].filter((key) => before.get(key)?.digest !== items.get(key)?.digest);
    },
    drop: async (scope: ScopeName): Promise<string[]> => {
      const keys = [...(scopes.get(scope)?.items.keys() ?? [])];
      scopes.delete(scope);
      return keys;
    },
    get,
  };
}
