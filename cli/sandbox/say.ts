/** What a person sees while a sandbox comes up or goes down: each step as it ends, with how long it took. */
import type { Clock } from '../../common/clock.ts';

export type Say = (line: string) => void;

/** Runs one named step and says how it went. */
export type Step = <T>(title: string, work: () => Promise<T>) => Promise<T>;

export const createSteps =
  ({ clock, say }: { clock: Clock; say: Say }): Step =>
  async (title, work) => {
    const started = clock.monotonic();
    const seconds = () => `${((clock.monotonic() - started) / 1000).toFixed(1)} s`;
    const quiet = clock.after(3000, () => say(`  ${title} ...`));
    try {
      const result = await work();
      say(`  ${title.padEnd(58)} ${seconds().padStart(7)}`);
      return result;
    } catch (err) {
      say(`  ${title}: failed after ${seconds()}`);
      throw err;
    } finally {
      quiet();
    }
  };
