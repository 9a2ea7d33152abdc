/** Events: what happened, as opposed to what is declared; a bounded stream, kept in batches behind whoever tells it. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { EventLine } from '../../protocol/views.ts';
import { cut } from './cut.ts';
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
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

const TRIM_AFTER = 2000;
const TRIM_AFTER_BYTES = 8 * 1024 * 1024;
/** Together with the bodies of the journal it is what a backup carries. */
const MOST_BYTES = 64 * 1024 * 1024;
const TRIM_SLICE = 500;

const remove = `DELETE FROM events WHERE seq IN (
  SELECT seq FROM events WHERE seq <= (SELECT max(seq) FROM events) - ? ORDER BY seq LIMIT ?) RETURNING seq`;
/** Those before which the newest are as large as is kept. */
const removeLarge = `DELETE FROM events WHERE seq IN (
  SELECT seq FROM (
    SELECT seq, sum(100 + length(CAST(message AS BLOB)) + coalesce(length(CAST(data AS BLOB)), 0)) OVER (ORDER BY seq DESC) AS bytes
    FROM events)
  WHERE bytes > ? ORDER BY seq LIMIT ?) RETURNING seq`;
const insert = `INSERT INTO events (at, type, severity, node, subject, message, data)
  SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->6 FROM json_each(?)
  RETURNING seq`;

/** A thing is a subject, or, for alarms, a subject and a code. Whole reports are large: their diffs stay behind. */
const latest = `SELECT seq, at, type, severity, node, subject, message,
    json_remove(data, '$.diffs', '$.timing', '$.held') AS data
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
  /** How many are kept, and how many bytes of them. */
  keep?: number;
  keepBytes?: number;
}

export function createEvents({
  db,
  clock,
  log,
  keep = 20_000,
  keepBytes = MOST_BYTES,
}: EventsOptions): EventsRoom {
  const listeners = createListeners<EventLine[]>(log);
  let waiting: Omit<EventLine, 'id'>[] = [];
  let running: Promise<void> | undefined;
  let waitingBytes = 0;
  let untrimmed = { events: 0, bytes: 0 };

  const trim = async () => {
    untrimmed = { events: 0, bytes: 0 };
    for (const [statement, most] of [
      [remove, keep],
      [removeLarge, keepBytes],
    ] as const)
      for (let slice = TRIM_SLICE; slice === TRIM_SLICE; )
        slice = (await db.transaction((queries) => queries.all(statement, most, TRIM_SLICE))).length;
  };
  /** Everything that was told while the last batch was written is the next one. */
  const drain = async () => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      waitingBytes = 0;
      const text = JSON.stringify(batch.map(rowOf));
      try {
        const rows = await db.transaction((queries) => queries.all<{ seq: number }>(insert, text));
        untrimmed.events += batch.length;
        untrimmed.bytes += text.length;
        if (untrimmed.events >= TRIM_AFTER || untrimmed.bytes >= Math.min(TRIM_AFTER_BYTES, keepBytes))
          await trim();
        listeners.tell(batch.map((line, at) => ({ ...line, id: String(rows[at]?.seq ?? 0) })));
      } catch (err) {
        log.error({ events: batch.length, err: messageOf(err) }, 'events were not kept');
      }
    }
  };
  return {
    append: (happenings) => {
      const at = moment(clock);
      let turnedAway = 0;
      for (const happening of happenings) {
        if (waiting.length >= MOST_WAITING || waitingBytes >= MOST_WAITING_BYTES) turnedAway += 1;
        else {
          const line = { ...cut(happening), at };
          waiting.push(line);
          waitingBytes += JSON.stringify(line).length;
        }
      }
      if (turnedAway > 0) log.error({ events: turnedAway }, 'too many events at once');
      running ??= Promise.resolve()
        .then(drain)
        .finally(() => {
          running = undefined;
        });
    },
    range: async ({ since, limit, node }) => {
      const filter = `(?1 IS NULL OR node = ?1)`;
      const rows =
        since === undefined
          ? (
              await db.read.all<Row>(
                `SELECT * FROM events WHERE ${filter} ORDER BY seq DESC LIMIT ?2`,
                node ?? null,
                limit,
              )
            ).reverse()
          : await db.read.all<Row>(
              `SELECT * FROM events WHERE seq > ?3 AND ${filter} ORDER BY seq LIMIT ?2`,
              node ?? null,
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
