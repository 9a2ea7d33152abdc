/** Slices: long work for one caller lets everybody else in between every few milliseconds, and has an end. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../common/clock.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';

/** So long the event loop is held at one time, as far as single steps are shorter. */
const SLICE_MS = 10;
const MOST_MS = 120_000;

/** Awaited after each step of the work. @throws EvenkeelError timeout when all of it has taken too long */
export type Slices = () => Promise<void> | undefined;

export function createSlices(clock: Pick<Clock, 'monotonic'>, most = MOST_MS): Slices {
  const begun = clock.monotonic();
  let since = begun;
  const turn = async () => {
    await setImmediate();
    since = clock.monotonic();
  };
  return () => {
    const now = clock.monotonic();
    if (now - begun > most)
      throw new EvenkeelError(
        'timeout',
        `judging this change took more than ${most / 1000} s and nothing was changed; apply fewer documents at once, and policies and templates apart from sites`,
      );
    return now - since < SLICE_MS ? undefined : turn();
  };
}
