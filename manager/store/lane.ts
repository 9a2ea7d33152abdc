/** A lane: work goes through one at a time, in order, and no more than a bounded number may wait. */
import { EvenkeelError } from '../../protocol/errors.ts';

export interface Lane {
  /** @throws EvenkeelError busy */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** How many are waiting or running. */
  waiting(): number;
  /** Waits until nothing is left of what has been put in so far. */
  idle(): Promise<void>;
}

export function createLane(most: number): Lane {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    run: (work) => {
      if (waiting >= most)
        return Promise.reject(new EvenkeelError('busy', `${most} wait for the store already`));
      waiting += 1;
      const turn = last.then(work).finally(() => {
        waiting -= 1;
      });
      // Whoever waits for this turn hears of its failure; those behind it only wait for its end.
      last = turn.catch(() => undefined);
      return turn;
    },
    waiting: () => waiting,
    idle: async () => {
      await last;
    },
  };
}
