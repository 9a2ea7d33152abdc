/** Breath: long work on the event loop stops now and then, so that beats and requests get their turn. */
import { setImmediate } from 'node:timers/promises';

/** So many steps are done before others get a turn. */
const SLICE = 200;

/** Asked after each step; what it returns is awaited. Nothing is returned for most steps, and small work is never interrupted. */
export type Breath = () => Promise<void> | undefined;

export function createBreath(): Breath {
  let steps = 0;
  return () => {
    steps += 1;
    return steps % SLICE === 0 ? setImmediate() : undefined;
  };
}
