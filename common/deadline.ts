/** Waiting with an end: the work, or a coded timeout, whichever is first. */
import { EvenkeelError } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';

/**
 * Waits for `work`, at most `ms`. The work itself goes on.
 * @throws EvenkeelError timeout
 */
export function within<T>(work: Promise<T>, ms: number, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const undo = clock.after(ms, () =>
      reject(new EvenkeelError('timeout', `it was not done within ${ms} ms`)),
    );
    void work.then(resolve, reject).finally(undo);
  });
}
