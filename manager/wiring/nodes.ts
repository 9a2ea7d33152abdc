/** Node views: what the API shows of nodes, from what is declared and what they said. */
import type { Clock } from '../../common/clock.ts';
import type { View } from '../../common/view.ts';
import type { NodeView } from '../../protocol/views.ts';
import type { Observed } from '../health/observed.ts';
import { nodeView } from '../health/view.ts';
import type { World } from './world.ts';

export interface NodeViewsOptions {
  store: { view(): View; certificates: { latest(node: string): { expires: string } | undefined } };
  observed: Pick<Observed, 'of'>;
  world: Pick<World, 'headsOf' | 'unitsOf'>;
  clock: Clock;
}

export interface NodeViews {
  all(): NodeView[];
  one(name: string): NodeView | undefined;
}

export function createNodeViews({ store, observed, world, clock }: NodeViewsOptions): NodeViews {
  const one = (name: string): NodeView | undefined => {
    const declared = store.view().Node.get(name);
    if (!declared) return undefined;
    return nodeView({
      name,
      spec: declared.spec,
      memory: observed.of(name),
      heads: world.headsOf(name),
      units: world.unitsOf(name),
      certificateExpires: store.certificates.latest(name)?.expires ?? null,
      now: clock.now(),
    });
  };
  return {
    one,
    all: () => [...store.view().Node.keys()].sort().flatMap((name) => one(name) ?? []),
  };
}
