/** Events: what happened, as opposed to what is declared; a bounded stream, kept in batches behind whoever tells it. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { EventLine } from '../../protocol/views.ts';
import type { Db } from './db.ts';
import { createListeners } from './listeners.ts';
import type { Events } from './store.ts';

interface Row {
  seq: number;
  at: string;
  type: string;
  severity: EventLine['severity'];
  node: string | null;
  subject: string;
  message: string;
  data: string | null;
}

const MOST_WAITING = 10_000;

const TRIM_AFTER = 2000;
const TRIM_SLICE = 500;

const remove = `DELETE FROM events WHERE seq IN (
  SELECT seq FROM events WHERE seq <= (SELECT max(seq) FROM events) - ? ORDER BY seq LIMIT ?) RETURNING seq`;
const insert = `INSERT INTO events (at, type, severity, node, subject, message, data)
  SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->6 FROM json_each(?)
  RETURNING seq`;

/** A thing is a subject, or, for alarms, a subject and a code. Whole reports are large: their diffs stay behind. */
const latest = `SELECT seq, at, type, severity, node, subject, message,
    json_remove(data, '$.diffs', '$.timing') AS data
  FROM events WHERE seq IN (
    SELECT max(seq) FROM events
    WHERE node IS NOT NULL AND substr(type, 1, instr(type, '.') - 1) IN (SELECT value FROM json_each(?))
    GROUP BY node, substr(type, 1, instr(type, '.')), subject, json_extract(data, '$.code'))
  ORDER BY seq`;

export interface EventsRoom extends Events {
  /** Forgets the oldest beyond what is kept. */
  trim(): Promise<void>;
  /** Waits until everything told so far is kept. */
  idle(): Promise<void>;
}

export interface EventsOptions {
  db: Db;
  clock: Clock;
  log: Log;
  /** How many are kept. */
  keep?: number;
}

export function createEvents({ db, clock, log, keep = 20_000 }: EventsOptions): EventsRoom {
  const listeners = createListeners<EventLine[]>(log);
  let waiting: Omit<EventLine, 'id'>[] = [];
  let running: Promise<void> | undefined;
  let untrimmed = 0;

  const trim = async () => {
    untrimmed = 0;
    for (let slice = TRIM_SLICE; slice === TRIM_SLICE; )
      slice = (await db.transaction((queries) => queries.all(remove, keep, TRIM_SLICE))).length;
  };
  /** Everything that was told while the last batch was written is the next one. */
  const drain = async () => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const rows = await db.transaction((queries) =>
          queries.all<{ seq: number }>(insert, JSON.stringify(batch.map(rowOf))),
        );
        untrimmed += batch.length;
        if (untrimmed >= TRIM_AFTER) await trim();
        listeners.tell(batch.map((line, at) => ({ ...line, id: String(rows[at]?.seq ?? 0) })));
      } catch (err) {
        log.error({ events: batch.length, err: messageOf(err) }, 'events were not kept');
      }
    }
  };
  return {
    append: (happenings) => {
      const at = moment(clock);
      const room = MOST_WAITING - waiting.length;
      if (room < happenings.length)
        log.error({ events: happenings.length - room }, 'too many events at once');
      waiting.push(...happenings.slice(0, Math.max(0, room)).map((happening) => ({ ...happening, at })));
      running ??= Promise.resolve()
        .then(drain)
        .finally(() => {
          running = undefined;
        });
    },
    range: async ({ since, limit, node, type }) => {
      const filter = `(?1 IS NULL OR node = ?1) AND (?2 IS NULL OR type = ?2)`;
      const rows =
        since === undefined
          ? (
              await db.read.all<Row>(
                `SELECT * FROM events WHERE ${filter} ORDER BY seq DESC LIMIT ?3`,
                node ?? null,
                type ?? null,
                limit,
              )
            ).reverse()
          : await db.read.all<Row>(
              `SELECT * FROM events WHERE seq > ?4 AND ${filter} ORDER BY seq LIMIT ?3`,
              node ?? null,
              type ?? null,
              limit,
              Number(since) || 0,
            );
      return rows.map(lineOf);
    },
    latest: async (families) => (await db.read.all<Row>(latest, JSON.stringify(families))).map(lineOf),
    onAppended: listeners.add,
    trim,
    idle: async () => {
      while (running) await running;
    },
  };
}

const rowOf = ({ at, type, severity, node, subject, message, data }: Omit<EventLine, 'id'>) => [
  at,
  type,
  severity,
  node ?? null,
  subject,
  message,
  data ?? null,
];

const lineOf = ({ seq, at, type, severity, node, subject, message, data }: Row): EventLine => ({
  id: String(seq),
  at,
  type,
  severity,
  ...(node === null ? {} : { node }),
  subject,
  message,
  ...(data === null || data === 'null' ? {} : { data: JSON.parse(data) as unknown }),
});
