/** Node views: what the API shows of nodes, from what is declared and what they said. */
import type { Clock } from '../../common/clock.ts';
import { readable } from '../../common/fingerprint.ts';
import type { View } from '../../common/view.ts';
import type { WaitingView } from '../../protocol/joining.ts';
import type { NodeView } from '../../protocol/views.ts';
import type { Observed } from '../health/observed.ts';
import { nodeView } from '../health/view.ts';
import type { World } from './world.ts';

export interface NodeViewsOptions {
  store: { view(): View; certificates: { latest(node: string): { expires: string } | undefined } };
  observed: Pick<Observed, 'of'>;
  world: Pick<World, 'headsOf' | 'unitsOf'>;
  /** Boxes that wait for an operator. */
  waiting: () => WaitingView[];
  queueOf: (name: string) => NodeView['queue'];
  clones: { alarms(node: string): NodeView['alarms'] };
  clock: Clock;
}

export interface NodeViews {
  all(): NodeView[];
  one(name: string): NodeView | undefined;
}

export function createNodeViews(options: NodeViewsOptions): NodeViews {
  const { store, observed, world, waiting, clones, queueOf, clock } = options;
  const viewOf = (name: string, boxes: WaitingView[]): NodeView | undefined => {
    const declared = store.view().Node.get(name);
    if (!declared) return undefined;
    return nodeView({
      name,
      spec: declared.spec,
      memory: observed.of(name),
      heads: world.headsOf(name),
      units: world.unitsOf(name),
      trust: [...boxes.filter((box) => box.name === name).flatMap(changed), ...clones.alarms(name)],
      queue: queueOf(name),
      certificateExpires: store.certificates.latest(name)?.expires ?? null,
      now: clock.now(),
    });
  };
  return {
    one: (name) => viewOf(name, waiting()),
    all: () => {
      const boxes = waiting();
      return [...store.view().Node.keys()].sort().flatMap((name) => viewOf(name, boxes) ?? []);
    },
  };
}

/** Another box asks to be this node. */
function changed({ name, why, key, from, since, known }: WaitingView): NodeView['alarms'] {
  if (why !== 'identity') return [];
  const before = known?.key ? readable(known.key) : 'none';
  const lives = known?.alive ? `; the node lives at ${known.alive} and keeps its place` : '';
  const message = `the box at ${from} shows the key ${readable(key)}, known is ${before}${lives}: evenkeel node trust ${name}`;
  return [{ code: 'identity-changed', subject: name, message, since }];
}
