/** How the manager stands: serving or held, what an operator is told about it, and the way on. */

import { VERSION } from '../common/version.ts';
import { EvenkeelError } from '../protocol/errors.ts';
import { PROTOCOL } from '../protocol/version.ts';
import type { ManagerState } from '../protocol/views.ts';

interface Meta {
  cluster: string;
  epoch: number;
  revision: number;
  mode: 'serving' | 'held';
  reason?: string;
  damaged: boolean;
}

export interface GoingOptions {
  store: {
    meta(): Meta;
    resume(options: { actor: string; seenEpoch: number; allowShrink: boolean }): Promise<void>;
  };
  publisher: { resume(): Promise<void>; ahead(): ManagerState['ahead'] };
  /** The epoch that an earlier store of this manager had come to. */
  earlierEpoch: () => number;
  /** What it gives to nodes. */
  release: () => string;
  address: string;
  ports: ManagerState['ports'];
}

export interface Resume {
  allowShrink: boolean;
  actor: string;
}

export interface Going {
  state(): ManagerState;
  /**
   * Lets a held manager publish again, in an epoch above all that were seen. A manager that serves is left as it is,
   * unless nodes are to be allowed what they refuse.
   * @throws EvenkeelError store-damaged: a damaged store can only be replaced
   */
  resume(options: Resume): Promise<ManagerState>;
}

export function createGoing({
  store,
  publisher,
  earlierEpoch,
  release,
  address,
  ports,
}: GoingOptions): Going {
  const state = (): ManagerState => {
    const { cluster, epoch, revision, mode } = store.meta();
    const reason = reasonOf(store.meta());
    return {
      ...{ version: VERSION, release: release() },
      protocol: PROTOCOL,
      cluster,
      epoch,
      revision,
      mode,
      ...(reason === undefined ? {} : { reason }),
      ahead: publisher.ahead(),
      address,
      ports,
    };
  };
  return {
    state,
    resume: async ({ allowShrink, actor }) => {
      const { damaged, mode } = store.meta();
      if (damaged) throw new EvenkeelError('store-damaged', reasonOf(store.meta()) ?? '');
      if (mode === 'serving' && !allowShrink) return state();
      const epochs = publisher.ahead().map(({ epoch }) => epoch);
      await store.resume({ actor, allowShrink, seenEpoch: Math.max(earlierEpoch(), ...epochs) });
      await publisher.resume();
      return state();
    },
  };
}

/** Why it is held, and what there is to do about it. */
export function reasonOf({ mode, reason, damaged }: Meta): string | undefined {
  if (mode === 'serving') return undefined;
  const way = damaged
    ? 'stop the manager, then `restore` a backup or `start-over` without one'
    : 'look at what is declared and at who is ahead, then `resume`';
  return `${reason ?? 'no reason was kept'}; ${way}`;
}
