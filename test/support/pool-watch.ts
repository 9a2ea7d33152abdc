/** Watches what HAProxy really has: for each node, the moments at which it begins or ceases to take traffic. */
import { createHaproxyDriver } from '../../agent/drivers/haproxy.ts';
import type { Clock } from '../../common/clock.ts';

/** A node took traffic from this moment, or took none. */
export interface Turn {
  at: number;
  node: string;
  taking: boolean;
}

export interface PoolWatch {
  turns: Turn[];
  stop(): Promise<void>;
}

/** Finer than the fastest check, so that what lies between two looks is measuring error and not behaviour. */
const EVERY = 10;

export function watchPool({ socket, clock }: { socket: string; clock: Clock }): PoolWatch {
  const driver = createHaproxyDriver({ socket, stateFile: `${socket}.unused`, clock });
  const now = new Map<string, boolean>();
  const turns: Turn[] = [];
  const ending = new AbortController();
  const look = async () => {
    for (const { server, admin, running, weight } of (await driver.read()) ?? []) {
      const taking = admin === 'ready' && running && weight > 0;
      if (now.get(server) !== taking) turns.push({ at: clock.monotonic(), node: server, taking });
      now.set(server, taking);
    }
  };
  const watching = (async () => {
    while (!ending.signal.aborted) {
      await look();
      await clock.sleep(EVERY);
    }
  })();
  return {
    turns,
    stop: async () => {
      ending.abort();
      await watching;
    },
  };
}
