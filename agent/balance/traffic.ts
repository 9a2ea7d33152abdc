/** Traffic: what a balancer has counted for each virtual service and each of its members, read every 10 s and told. */
import type { TrafficRow } from '../../common/balancer.ts';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Traffic } from '../../protocol/messages.ts';
import type { Service } from './targets.ts';

export interface TrafficOptions {
  /** The counters, and by what name they are those of this balancer and no other; null where there is none. */
  read: () => Promise<{ source: string; rows: readonly TrafficRow[] } | null>;
  services: () => readonly Service[];
  /** May be lost: the counters say it all again the next time. */
  say: (traffic: Omit<Traffic, 'session'>) => void;
  clock: Clock;
  log: Log;
}

export interface TrafficTeller {
  /** Reads and tells once. Never rejects. */
  look(): Promise<void>;
  start(): () => Promise<void>;
}

const EVERY_MS = 10_000;
/** As many as one message takes. */
const MOST_ROWS = 1000;

export function createTraffic({ read, services, say, clock, log }: TrafficOptions): TrafficTeller {
  let running: Promise<void> | undefined;
  const tell = async () => {
    const found = await read();
    const uptime = Math.round(clock.monotonic());
    if (found === null) return;
    for (const service of services())
      for (const rows of chunksOf(rowsOf(service, found.rows)))
        say({ source: found.source, uptime, service: service.name, rows });
  };
  const look = (): Promise<void> => {
    running ??= tell()
      .catch((err: unknown) => log.debug({ err: messageOf(err) }, 'the traffic was not read'))
      .finally(() => {
        running = undefined;
      });
    return running;
  };
  return {
    look,
    start: () => {
      const stop = clock.every(EVERY_MS, () => void look());
      return async () => {
        stop();
        await running;
      };
    },
  };
}

type Row = Traffic['rows'][number];

/** What begins so is no member but what stands in for them: it is in the sum of the service alone. */
const STAND_IN = '_';

/** The rows of one service, those of one member together. */
function rowsOf({ name, spec }: Service, rows: readonly TrafficRow[]): Row[] {
  const ports = new Map(spec.ports.map(({ port }) => [`${name}-${port}`, port]));
  return rows
    .flatMap(({ backend, server, ...counted }): Row[] => {
      const port = ports.get(backend);
      return port === undefined || server?.startsWith(STAND_IN) ? [] : [{ port, member: server, ...counted }];
    })
    .sort((a, b) => ((a.member ?? '') < (b.member ?? '') ? -1 : 1));
}

/** The ports of one member are added up where they arrive, so they travel together. */
function chunksOf(rows: readonly Row[]): Row[][] {
  const chunks: Row[][] = [];
  for (let at = 0; at < rows.length; ) {
    let end = Math.min(rows.length, at + MOST_ROWS);
    const cut = end < rows.length ? rows[end]?.member : undefined;
    while (cut !== undefined && end > at + 1 && rows[end - 1]?.member === cut) end -= 1;
    chunks.push(rows.slice(at, end));
    at = end;
  }
  return chunks;
}
