/** The planted fault: a desired state that never compares digests and takes the head's on trust. */
import type { LinkDesired } from '../../../agent/link/link.ts';
import type { Desired } from '../../../agent/state/desired.ts';
import type { Stand } from '../../../common/delta.ts';
import { createScopeSum } from '../../../common/digest.ts';
import type { ScopeName } from '../../../protocol/messages.ts';
import { keyOf } from '../../../protocol/resource.ts';

/** It lets the real one keep what really came, under a digest that fits that, and says to the link that it is the head's. */
export function trusting(desired: Desired): LinkDesired {
  const claimed = new Map<ScopeName, Stand>();
  const kept = new Map<ScopeName, Map<string, { kind: string; name: string; digest: string }>>();
  return {
    ...desired,
    // What an earlier life kept is fetched whole, since it is not known here what that was.
    stand: (scope) => claimed.get(scope) ?? null,
    preview: () => ({}),
    apply: async (scope, update) => {
      const items = new Map(update.snapshot ? [] : kept.get(scope));
      for (const change of update.changes)
        if (change.op === 'put') items.set(keyOf(change), change);
        else items.delete(keyOf(change));
      const sum = createScopeSum();
      for (const { kind, name, digest } of items.values()) sum.add(kind, name, digest);
      const keys = await desired.apply(scope, { ...update, count: items.size, digest: sum.hex() });
      const { epoch, rev, count, digest } = update;
      kept.set(scope, items);
      claimed.set(scope, { epoch, rev, count, digest });
      return keys;
    },
    drop: async (scope) => {
      claimed.delete(scope);
      kept.delete(scope);
      return desired.drop(scope);
    },
  };
}
