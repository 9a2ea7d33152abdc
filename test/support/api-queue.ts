/** The queue as a manager has it, only that nobody is rung. */
import { createLive } from '../../manager/queue/live.ts';
import { createQueue } from '../../manager/queue/queue.ts';
import type { Runs } from '../../manager/queue/runs.ts';
import { createSchedules } from '../../manager/queue/schedules.ts';
import type { Store } from '../../manager/store/store.ts';
import { type RunsWiring, wireRuns } from '../../manager/wiring/runs.ts';

export type QueueGiven = Omit<RunsWiring, 'queue' | 'live' | 'observed' | 'held' | 'store'> & {
  store: Pick<Store, 'queue' | 'schedules' | 'view' | 'write' | 'meta'>;
  /** How schedules start their runs: in truth as everybody does. */
  starts?: ((start: Runs['start']) => Runs['start']) | undefined;
};

export function queueFor({ store, starts = (start) => start, ...given }: QueueGiven) {
  const held = () => store.meta().mode === 'held';
  const live = createLive((run, node) => queue.line(node).some((command) => command.run === run));
  const queue = createQueue({
    ...{ rows: store.queue, cluster: store.meta().cluster, held, live },
    ...{ emit: given.events.emit, clock: given.clock, log: given.log },
    isNode: (node) => store.view().Node.has(node),
    ring: () => undefined,
  });
  const observed = { of: () => ({ fresh: true }) as never };
  const { runs, rolling } = wireRuns({ ...given, store, queue, live, held, observed });
  const schedules = createSchedules({
    ...{ store, queue, held, runs: { start: starts(runs.start) } },
    ...{ emit: given.events.emit, clock: given.clock, log: given.log },
  });
  return {
    ...{ runs, queue, live, schedules },
    start: async () => {
      const undo = [await queue.start(), await rolling.start(), schedules.start()];
      return async () => {
        for (const end of undo.reverse()) await end();
      };
    },
  };
}
