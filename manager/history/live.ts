/** Live: what directors last said of their counters, and what was added since what they said before. */
import type { Clock } from '../../common/clock.ts';
import type { Traffic } from '../../protocol/messages.ts';
import { beside, type Counted, increase, perSecond, type Sample, sum, zero } from './counters.ts';

/** One member as one director sees it; null is the service itself. */
export interface Who {
  service: string;
  member: string | null;
  director: string;
}

export interface Live extends Who {
  /** In monotonic time. */
  heardAt: number;
  active: number;
  inactive: number;
  /** As the balancer shows them: they begin anew when it does. */
  totals: Counted;
  rates: Counted;
}

/** What was read of one port of one member. */
interface Reading {
  session: string;
  source: string;
  uptime: number;
  counted: Counted;
}

/** What a balancer counted before a silence as long as this is not of now. */
const LONGEST_MS = 60_000;
/** Three samples: what is older is not shown as present. */
const PRESENT_MS = 35_000;

export function createLive({ clock }: { clock: Clock }) {
  const readings = new Map<string, Reading>();
  const lives = new Map<string, Live>();
  const isPresent = ({ heardAt }: Live) => clock.monotonic() - heardAt < PRESENT_MS;

  const sampleOf = (key: string, said: Traffic, row: Traffic['rows'][number]): Sample => {
    const { session, source, uptime } = said;
    const before = readings.get(key);
    readings.set(key, { session, source, uptime, counted: row });
    const gauge = { readings: 1, active: row.active, peak: row.active };
    const ms = before && before.session === session && before.source === source ? uptime - before.uptime : 0;
    if (!before || ms <= 0 || ms > LONGEST_MS) return { ...nothingOf(row), ...gauge, ms: 0 };
    return { ...increase(before.counted, row), ...gauge, ms };
  };
  return {
    /** What it adds to the history, by member. */
    heard: (director: string, said: Traffic): (Who & Sample)[] => {
      const { service } = said;
      const samples = new Map<string | null, Sample>();
      const fresh = new Map<string | null, Live>();
      for (const row of said.rows) {
        const { port, member, active, inactive } = row;
        const sample = sampleOf(JSON.stringify([director, service, member, port]), said, row);
        const [other, seen] = [samples.get(member), fresh.get(member)];
        const all = other ? beside(other, sample) : sample;
        samples.set(member, all);
        fresh.set(member, {
          ...{ service, member, director, heardAt: clock.monotonic() },
          active: active + (seen?.active ?? 0),
          inactive: inactive + (seen?.inactive ?? 0),
          totals: seen ? sum(seen.totals, row) : row,
          rates: perSecond(all, all.ms),
        });
      }
      for (const [member, live] of fresh) lives.set(JSON.stringify([director, service, member]), live);
      return [...samples].map(([member, sample]) => ({ service, member, director, ...sample }));
    },
    all: (): Live[] => [...lives.values()].filter(isPresent),
    /** Forgets whom nobody has heard for long, and who is not declared. */
    keep: (isDeclared: (who: Pick<Who, 'service' | 'member'>) => boolean): void => {
      for (const [key, live] of lives) if (!isPresent(live) || !isDeclared(live)) lives.delete(key);
      for (const key of readings.keys()) {
        const [director, service, member] = JSON.parse(key) as [string, string, string | null];
        if (!lives.has(JSON.stringify([director, service, member]))) readings.delete(key);
      }
    },
  };
}

/** Nothing was added, of what is counted at all. */
const nothingOf = ({ packetsIn, packetsOut }: Counted): Counted => ({
  ...zero,
  packetsIn: packetsIn === null ? null : 0,
  packetsOut: packetsOut === null ? null : 0,
});
