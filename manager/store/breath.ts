/** Breath: long work on the event loop stops now and then, so that beats and requests get their turn. */
import { setImmediate } from 'node:timers/promises';

/** So many steps are done before others get a turn. */
const SLICE = 1000;

/** Awaited after each step. It costs a turn of the event loop only after so many of them. */
export function createBreath(): () => Promise<void> | undefined {
  let steps = 0;
  return () => {
    steps += 1;
    return steps % SLICE === 0 ? setImmediate() : undefined;
  };
}
