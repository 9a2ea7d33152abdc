/** The world as the parts of the manager see it: the store's view, read in their own words. */
import type { Log } from '../../common/log.ts';
import { policiesOf } from '../../common/policies.ts';
import type { View } from '../../common/view.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import { scopesOf } from '../../protocol/topics.ts';

interface Head {
  scope: ScopeName;
  epoch: number;
  rev: number;
}

interface Commit {
  entries: readonly { kind: string; name: string; op: string }[];
}

export interface Followers {
  /** Each is told of a node that was removed. */
  removed: readonly ((node: string) => Promise<void>)[];
  /** Something that pools weigh has changed. */
  changed: () => void;
  log: Log;
}

/** Kinds of which pools weigh every change. */
const WEIGHED = new Set(['Cluster', 'Node', 'VirtualService', 'Policy']);

export const worldOf = (store: { view(): View; head(scope: ScopeName): Head | undefined }) => {
  const node = (name: string): NodeSpec | undefined => store.view().Node.get(name)?.spec;
  const headsOf = (name: string): Head[] => {
    const roles = node(name)?.roles ?? [];
    return scopesOf({ node: name, roles }).map((scope) => store.head(scope) ?? { scope, epoch: 0, rev: 0 });
  };
  return {
    virtualServices: () => [...store.view().VirtualService.values()],
    nodes: () => [...store.view().Node.values()],
    policies: () => [...store.view().Policy.values()],
    cluster: () => store.view().Cluster.get('cluster'),
    /** Who may connect, and as whom. */
    peer: (name: string) => {
      const spec = node(name);
      return spec ? { roles: spec.roles, keyFingerprint: spec.identity?.key } : null;
    },
    /** Where the scopes of a node stand, in the order in which beats list them. */
    headsOf,
    /** The units that a node must have. */
    unitsOf: (name: string): string[] => {
      const { Policy, Cluster } = store.view();
      const held = policiesOf(Policy.values(), node(name) ?? { roles: [] }, Cluster.get('cluster'));
      return held.map((policy) => policy.name);
    },
    /** Makes a listener of commits that tells the others. */
    follow:
      ({ removed, changed, log }: Followers) =>
      ({ entries }: Commit): void => {
        if (entries.some(({ kind }) => WEIGHED.has(kind))) changed();
        for (const { name } of entries.filter(({ kind, op }) => kind === 'Node' && op === 'delete'))
          for (const tell of removed)
            tell(name).catch((err: unknown) =>
              log.error({ node: name, err: messageOf(err) }, 'removal was not carried out'),
            );
      },
  };
};

export type World = ReturnType<typeof worldOf>;
