/** What the manager does by the calendar. */
import { schedule } from 'node-cron';
import type { Log } from '../common/log.ts';
import { messageOf } from '../protocol/errors.ts';

/** Every hour, off the full hour: old bodies, events and scope history beyond what is kept are pruned. */
const PRUNING = '17 * * * *';

export function createSchedule({ store, log }: { store: { prune(): Promise<void> }; log: Log }) {
  const prune = () =>
    store.prune().catch((err: unknown) => {
      log.error({ err: messageOf(err) }, 'pruning failed');
    });
  return {
    /** Begins; returns its undo. */
    start: (): (() => Promise<void>) => {
      const task = schedule(PRUNING, prune, { noOverlap: true });
      return async () => {
        await task.destroy();
      };
    },
  };
}
