/** The sweep: every so often all is compared with the disk, so that nothing depends on what a watcher noticed. */
import type { Clock } from '../../common/clock.ts';

export interface SweepOptions {
  /** Seconds between two comparisons by stat data, and between two that read all bytes. */
  sweepSeconds: number;
  contentsSeconds: number;
  clock: Clock;
}

export const createSweep = ({ sweepSeconds, contentsSeconds, clock }: SweepOptions) => ({
  start: (due: (options: { contents: boolean }) => void): (() => void) => {
    let readAt = clock.monotonic();
    return clock.every(sweepSeconds * 1000, () => {
      const contents = clock.monotonic() - readAt >= contentsSeconds * 1000;
      if (contents) readAt = clock.monotonic();
      due({ contents });
    });
  },
});
