/**
 * Heard: the pool states that the manager sent, and whether its lease still makes their opinions count.
 *
 *   a lease that runs out turns every opinion into none, until both a lease and the pool state come again;
 *   it never says "down".
 */
import type { Clock } from '../../common/clock.ts';
import type { Lease, PoolState } from '../../protocol/messages.ts';

/** What was said of a pool: by the manager, or by the members themselves. */
export interface Said {
  state: Pick<PoolState, 'members' | 'probesOnly'>;
  /** Milliseconds since it arrived, so that countdowns in it run by this box's own clock. */
  age: number;
  /** Whether its opinions count. */
  fresh: boolean;
}

export interface HeardState extends Said {
  state: PoolState;
}

export interface Heard {
  /** False when it is older than what is known, and changes nothing. */
  accept(state: PoolState): boolean;
  /** Whether opinions count again that did not; a lease from the past changes nothing. */
  renew(lease: Lease): boolean;
  of(service: string): HeardState | null;
  /** Its opinions do not count, or will not soon: whom else there is may be asked already. */
  quiet(service: string): boolean;
  /** Ends the timer. */
  stop(): void;
}

/** Leases come every second. */
const QUIET_MS = 2_000;

interface Entry {
  state: PoolState;
  arrivedAt: number;
  /** No lease has run out since it arrived. */
  alive: boolean;
}

/** @param onLapse called when the opinions stop counting */
export function createHeard({ clock, onLapse }: { clock: Clock; onLapse: () => void }): Heard {
  const entries = new Map<string, Entry>();
  let lease: Lease | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let cancelTimer: (() => void) | undefined;

  const lapse = () => {
    cancelTimer = undefined;
    for (const entry of entries.values()) entry.alive = false;
    onLapse();
  };
  const isFresh = (entry: Entry | undefined) => entry?.alive === true && cancelTimer !== undefined;
  return {
    accept: (state) => {
      const known = entries.get(state.service);
      if (known && isOlder([state.epoch, state.seq], [known.state.epoch, known.state.seq])) return false;
      entries.set(state.service, { state, arrivedAt: clock.monotonic(), alive: true });
      return true;
    },
    renew: (next) => {
      if (lease !== undefined && !isOlder([lease.epoch, lease.n], [next.epoch, next.n])) return false;
      lease = next;
      renewedAt = clock.monotonic();
      const revives = cancelTimer === undefined;
      cancelTimer?.();
      cancelTimer = clock.after(next.seconds * 1000, lapse);
      return revives;
    },
    of: (service) => {
      const entry = entries.get(service);
      if (!entry) return null;
      const age = clock.monotonic() - entry.arrivedAt;
      return { state: entry.state, age, fresh: isFresh(entry) };
    },
    quiet: (service) => !isFresh(entries.get(service)) || clock.monotonic() - renewedAt > QUIET_MS,
    stop: () => cancelTimer?.(),
  };
}

const isOlder = ([epoch, number]: [number, number], [otherEpoch, otherNumber]: [number, number]): boolean =>
  epoch < otherEpoch || (epoch === otherEpoch && number < otherNumber);
