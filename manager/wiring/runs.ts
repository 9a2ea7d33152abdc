/** Runs, with what they need of the manager: who is heard, how nodes and pools are, and how a node is looked at. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { EventStream } from '../events.ts';
import type { Observed } from '../health/observed.ts';
import { createRollingRuns, type RollingOptions, type RollingRuns } from '../queue/rolling.ts';
import { createRuns, type Runs } from '../queue/runs.ts';
import type { Store } from '../store/store.ts';
import type { WiredQueue } from './queue.ts';

export interface RunsWiring
  extends Pick<WiredQueue, 'queue' | 'live'>,
    Pick<RollingOptions, 'nodes' | 'pools' | 'held'> {
  store: Pick<Store, 'queue' | 'view' | 'write'>;
  observed: Pick<Observed, 'of'>;
  doctor: { node: Parameters<typeof createRuns>[0]['doctor'] };
  events: Pick<EventStream, 'emit'>;
  clock: Clock;
  log: Log;
}

export function wireRuns(options: RunsWiring): { runs: Runs; rolling: RollingRuns } {
  const { queue, live, store, nodes, pools, observed, held, doctor, events, clock, log } = options;
  const { emit } = events;
  const rolling = createRollingRuns({ store, queue, nodes, pools, held, emit, clock, log });
  const runs = createRuns({
    ...{ queue, rolling, live, rows: store.queue, view: store.view, doctor: doctor.node, emit, clock, held },
    online: (node) => observed.of(node)?.fresh ?? false,
  });
  return { runs, rolling };
}
