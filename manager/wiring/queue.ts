/** The queue, with what it needs of the manager: where it is kept, how nodes are rung, and what people ask of it. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Envelope } from '../../protocol/messages.ts';
import type { QueueAnswer, QueuePull } from '../../protocol/queue.ts';
import type { Asker } from '../ask.ts';
import { createLive, type Live } from '../queue/live.ts';
import { createQueue, type Queue, type QueueOptions } from '../queue/queue.ts';
import type { Store } from '../store/store.ts';

export interface QueueWiring extends Pick<QueueOptions, 'cluster' | 'held' | 'emit'> {
  store: Pick<Store, 'queue' | 'view'>;
  asker: Pick<Asker, 'hint'>;
  seal: (answer: QueueAnswer) => Envelope;
  clock: Clock;
  log: Log;
}

export interface WiredQueue {
  queue: Queue;
  live: Live;
  /** What a node asks, answered signed. */
  pull(node: string, asked: QueuePull): Promise<Envelope>;
}

export function wireQueue({ store, asker, seal, ...more }: QueueWiring): WiredQueue {
  const live = createLive((run, node) => queue.line(node).some((command) => command.run === run));
  const queue = createQueue({
    ...{ ...more, rows: store.queue, live },
    isNode: (node) => store.view().Node.has(node),
    ring: (node) => asker.hint(node, 'queue'),
  });
  return { queue, live, pull: async (node, asked) => seal(await queue.pull(node, asked)) };
}
