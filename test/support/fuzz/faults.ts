/** Messages that are lost, doubled, or lose a part of what they carry: between the publisher and its broker, and on the way to one node. */
import type { Store } from '../../../manager/store/store.ts';
import { keyOf } from '../../../protocol/resource.ts';
import type { Faults } from './manager.ts';

export interface Messages extends Faults {
  /** The next heads do not reach the broker, or reach it twice. */
  lose(heads: number): void;
  double(heads: number): void;
  /** Nothing reaches this node until `hear`. */
  deafen(node: string): void;
  hear(node: string): void;
  /** From now on each head says that this resource has changed, and does not carry it. */
  loseChange(key: string): void;
  counts(): { lost: number; doubled: number };
}

export function createMessages(): Messages {
  const counts = { lost: 0, doubled: 0 };
  const deaf = new Set<string>();
  const withheld = new Set<string>();
  let [losing, doubling] = [0, 0];
  return {
    lose: (heads) => {
      losing = heads;
    },
    double: (heads) => {
      doubling = heads;
    },
    deafen: (node) => void deaf.add(node),
    hear: (node) => void deaf.delete(node),
    isDeaf: (node) => deaf.has(node),
    loseChange: (key) => void withheld.add(key),
    counts: () => ({ ...counts }),
    publish: (send) => async (topic, envelope) => {
      if (losing > 0) {
        losing -= 1;
        counts.lost += 1;
        return;
      }
      await send(topic, envelope);
      if (doubling === 0) return;
      doubling -= 1;
      counts.doubled += 1;
      await send(topic, envelope);
    },
    store: (store: Store) => ({
      ...store,
      onCommit: (listener) =>
        store.onCommit((commit) => {
          const heads = commit.heads.map(({ changes, ...head }) => ({
            ...head,
            changes: changes?.filter((change) => !withheld.has(keyOf(change))) ?? null,
          }));
          listener({ ...commit, heads });
        }),
    }),
  };
}
