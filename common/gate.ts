/** A gate: only so many pieces of work run at once; the others wait for their turn, in order. */

export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** The line of those who wait is as long as the callers are many: each waits for its own turn before it comes again. */
export function createGate(width: number): Gate {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const leave = () => {
    const next = waiting.shift();
    if (next) next();
    else inside -= 1;
  };
  return async (work) => {
    if (inside < width) inside += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
