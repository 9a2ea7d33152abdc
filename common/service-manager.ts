/** Tells systemd that this process serves, lives and stops, where systemd has started it and asks for that. */
import { execFile } from 'node:child_process';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

export interface ServiceManager {
  /** It serves. From here on it says that it lives, as often as the unit's WatchdogSec asks, until the undo is called. */
  ready(): Promise<() => Promise<void>>;
}

/** One call of `systemd-notify` takes milliseconds; one that takes longer is given up, and the next one follows. */
const TIMEOUT_MS = 10_000;

/**
 * Node has no datagram Unix sockets, so the words go by `systemd-notify`, which is a part of systemd itself.
 * @param env of this process: NOTIFY_SOCKET, and WATCHDOG_USEC in microseconds (sd_notify(3), sd_watchdog_enabled(3))
 */
export function createServiceManager(
  env: Record<string, string | undefined>,
  { clock, log }: { clock: Clock; log: Log },
): ServiceManager {
  if (!env.NOTIFY_SOCKET) return { ready: async () => async () => undefined };
  const tell = (word: string) =>
    new Promise<void>((resolve) => {
      execFile('systemd-notify', [word], { timeout: TIMEOUT_MS, env }, (err) => {
        if (err) log.warn({ word, err: err.message }, 'systemd could not be told');
        resolve();
      });
    });
  // Two in a row may be lost before systemd ends the process.
  const often = Math.floor(Number(env.WATCHDOG_USEC ?? 0) / 3000);
  return {
    ready: async () => {
      await tell('READY=1');
      const over = new AbortController();
      const beating = often > 0 ? beat(often, over.signal) : Promise.resolve();
      return async () => {
        over.abort(new Error('stopping'));
        await beating;
        await tell('STOPPING=1');
      };
    },
  };

  async function beat(every: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(every, signal).catch(() => undefined);
      if (!signal.aborted) await tell('WATCHDOG=1');
    }
  }
}
