/** Refusals: who was not let in, as events: the first of each at once, the others counted, so that a flood of them is none of events. */
import type { Clock } from '../common/clock.ts';
import type { EventLine } from '../protocol/views.ts';

/** Where it was refused: a wrong token, a join, the certificate of a node, or no certificate of this cluster at all. */
export type Door = 'token' | 'join' | 'certificate' | 'handshake';

export interface Refusal {
  door: Door;
  /** Whose refusals are counted together: an address, or a node that has shown its certificate. */
  who: string;
  /** The node that it was, or said that it was. */
  node?: string | undefined;
  /** Why, without any secret. */
  message: string;
}

export interface Refusals {
  refused(refusal: Refusal): void;
  /** Since the start, by door. */
  counts(): Record<Door, number>;
  /** Begins to sum up; returns its undo. */
  start(): () => void;
}

export interface RefusalsOptions {
  emit: (happening: Omit<EventLine, 'id' | 'at'>) => void;
  clock: Clock;
}

/** What each door says of a refusal, in the words of this room. */
export const refusedAt = ({ refused }: Refusals) => ({
  certificate: (node: string, { message }: Error, from = 'an unknown address') =>
    refused({ door: 'certificate', who: node, node, message: `${message} (from ${from})` }),
  join: (node: string | undefined, { message }: Error, from = node ?? 'an unknown address') =>
    refused({ door: 'join', who: from, node, message: `${message} (from ${from})` }),
  handshake: (from: string) =>
    refused({
      door: 'handshake',
      who: from,
      message: `a box at ${from} shows no certificate of this cluster`,
    }),
});

/** How often what was counted is told. */
const WINDOW_MS = 300_000;
/** Of so many at each door it is known who they are; of the others, how often they were refused. */
const MOST_KNOWN = 50;

interface Known {
  last: Refusal;
  untold: number;
}

export function createRefusals({ emit, clock }: RefusalsOptions): Refusals {
  const totals: Record<Door, number> = { token: 0, join: 0, certificate: 0, handshake: 0 };
  const known: Record<Door, Map<string, Known>> = {
    token: new Map(),
    join: new Map(),
    certificate: new Map(),
    handshake: new Map(),
  };
  const others: Record<Door, number> = { token: 0, join: 0, certificate: 0, handshake: 0 };
  const doors = Object.keys(totals) as Door[];

  const tell = (
    { door, who, node }: Pick<Refusal, 'door' | 'who' | 'node'>,
    message: string,
    count: number,
  ) =>
    emit({
      ...{ type: door === 'join' ? 'join.refused' : 'trust.refused', severity: 'warning' },
      ...{ subject: node ?? who, message },
      ...(node === undefined ? {} : { node }),
      data: { door, who, count },
    });
  const sumUp = (door: Door) => {
    for (const [who, { last, untold }] of known[door]) {
      // Whoever has stopped makes room.
      if (untold === 0) known[door].delete(who);
      else {
        known[door].set(who, { last, untold: 0 });
        tell(last, `${untold} more of ${who}, the last: ${last.message}`, untold);
      }
    }
    const count = others[door];
    others[door] = 0;
    if (count > 0) tell({ door, who: 'others' }, `${count} more at the door ${door}, of further ones`, count);
  };
  return {
    refused: (refusal) => {
      const { door, who, message } = refusal;
      totals[door] += 1;
      const row = known[door].get(who);
      if (row) known[door].set(who, { last: refusal, untold: row.untold + 1 });
      else if (known[door].size >= MOST_KNOWN) others[door] += 1;
      else {
        known[door].set(who, { last: refusal, untold: 0 });
        tell(refusal, message, 1);
      }
    },
    counts: () => ({ ...totals }),
    start: () => clock.every(WINDOW_MS, () => doors.forEach(sumUp)),
  };
}
