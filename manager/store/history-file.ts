/**
 * The file of the history: rings of what balancers counted. It lies beside the store and not in it: it is large, it may
 * be lost, and neither the check at every start, nor a backup, nor a commit of the journal is to wait for it.
 */
import { rename, rm } from 'node:fs/promises';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import { type Db, openDb } from './db.ts';

/** What is kept in one slot: the values of one series, added up. */
export interface HistoryRow {
  ring: number;
  slot: number;
  lap: number;
  service: string;
  /** Empty is the service itself. */
  member: string;
  director: string;
  readings: number;
  ms: number;
  connections: number;
  packetsIn: number | null;
  packetsOut: number | null;
  bytesIn: number;
  bytesOut: number;
  active: number;
  peak: number;
}

export interface HistoryQuestion {
  service: string;
  /** Absent is all; empty is the service itself. */
  member?: string | undefined;
  ring: number;
  places: readonly { slot: number; lap: number }[];
}

export interface HistoryFile {
  /** Adds to what lies in each slot, or writes over it where that is of another lap; one transaction. */
  add(rows: readonly HistoryRow[]): Promise<void>;
  read(question: HistoryQuestion): Promise<HistoryRow[]>;
  /** How many series of a service there are, or of one of its members. */
  count(question: Pick<HistoryQuestion, 'service' | 'member'>): Promise<number>;
  /** Forgets all but the series of these services and members. */
  keep(services: readonly string[], members: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Slots of one moment lie together: that a sample is written touches few pages, however many series there are. */
const schema = `
CREATE TABLE IF NOT EXISTS series (
  id       INTEGER PRIMARY KEY,
  service  TEXT NOT NULL,
  member   TEXT NOT NULL,
  director TEXT NOT NULL,
  UNIQUE (service, member, director)
) STRICT;
CREATE TABLE IF NOT EXISTS points (
  ring        INTEGER NOT NULL,
  slot        INTEGER NOT NULL,
  series      INTEGER NOT NULL,
  lap         INTEGER NOT NULL,
  readings    INTEGER NOT NULL,
  ms          INTEGER NOT NULL,
  connections INTEGER NOT NULL,
  packets_in  INTEGER,
  packets_out INTEGER,
  bytes_in    INTEGER NOT NULL,
  bytes_out   INTEGER NOT NULL,
  active      INTEGER NOT NULL,
  peak        INTEGER NOT NULL,
  PRIMARY KEY (ring, slot, series)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
`;

const addSeries = `INSERT INTO series (service, member, director)
  SELECT DISTINCT value->>3, value->>4, value->>5 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`;

/** Of another lap, what is there counts for nothing. */
const kept = (column: string) => `CASE WHEN lap = excluded.lap THEN ${column} ELSE 0 END`;
const added = (column: string) => `${column} = ${kept(column)} + excluded.${column}`;
const addedWhereCounted = (column: string) =>
  `${column} = CASE WHEN excluded.${column} IS NULL AND lap != excluded.lap THEN NULL
    WHEN excluded.${column} IS NULL THEN ${column}
    ELSE coalesce(${kept(column)}, 0) + excluded.${column} END`;
const addPoints = `INSERT INTO points (ring, slot, series, lap, readings, ms, connections, packets_in, packets_out,
    bytes_in, bytes_out, active, peak)
  SELECT value->>0, value->>1, series.id, value->>2, value->>6, value->>7, value->>8, value->>9, value->>10,
    value->>11, value->>12, value->>13, value->>14
  FROM json_each(?) JOIN series ON (service, member, director) = (value->>3, value->>4, value->>5) WHERE true
  ON CONFLICT (ring, slot, series) DO UPDATE SET
    ${['readings', 'ms', 'connections', 'bytes_in', 'bytes_out', 'active'].map(added).join(', ')},
    ${['packets_in', 'packets_out'].map(addedWhereCounted).join(', ')},
    peak = max(${kept('peak')}, excluded.peak), lap = excluded.lap`;

const select = `SELECT ring, slot, lap, service, member, director, readings, ms, connections,
    packets_in AS packetsIn, packets_out AS packetsOut, bytes_in AS bytesIn, bytes_out AS bytesOut, active, peak
  FROM series CROSS JOIN json_each(?3) AS place
  JOIN points ON points.ring = ?4 AND points.slot = place.value->>0 AND points.series = series.id
    AND points.lap = place.value->>1
  WHERE service = ?1 AND (?2 IS NULL OR member = ?2)`;

const strangers = `SELECT id FROM series WHERE service NOT IN (SELECT value FROM json_each(?1))
  OR (member != '' AND member NOT IN (SELECT value FROM json_each(?2)))`;

export async function openHistoryFile({ file, log }: { file: string; log: Log }): Promise<HistoryFile> {
  const db = await opened(file).catch(async (err: unknown) => {
    log.error({ err: messageOf(err) }, 'the history cannot be used; it is set aside and begins anew');
    await setAside(file);
    return opened(file);
  });
  return {
    add: async (rows) => {
      const values = JSON.stringify(rows.map(valuesOf));
      await db.transaction(async (queries) => {
        await queries.all(addSeries, values);
        await queries.all(addPoints, values);
      });
    },
    read: ({ service, member, ring, places }) =>
      db.snapshot((queries) =>
        queries.all<HistoryRow>(
          select,
          ...[service, member ?? null, JSON.stringify(places.map(({ slot, lap }) => [slot, lap])), ring],
        ),
      ),
    count: async ({ service, member }) => {
      const sql = 'SELECT count(*) AS count FROM series WHERE service = ?1 AND (?2 IS NULL OR member = ?2)';
      return (await db.read.get<{ count: number }>(sql, service, member ?? null))?.count ?? 0;
    },
    keep: async (services, members) => {
      await db.transaction(async (queries) => {
        const known = [JSON.stringify(services), JSON.stringify(members)];
        const gone = (await queries.all<{ id: number }>(strangers, ...known)).map(({ id }) => id);
        if (gone.length === 0) return;
        await queries.all(
          'DELETE FROM points WHERE series IN (SELECT value FROM json_each(?))',
          JSON.stringify(gone),
        );
        await queries.all(
          'DELETE FROM series WHERE id IN (SELECT value FROM json_each(?))',
          JSON.stringify(gone),
        );
      });
    },
    close: db.close,
  };
}

async function opened(file: string): Promise<Db> {
  const db = await openDb(file);
  try {
    await db.transaction((queries) => queries.exec(schema));
    return db;
  } catch (err) {
    await db.close();
    throw err;
  }
}

async function setAside(file: string): Promise<void> {
  await rename(file, `${file}.damaged`);
  for (const more of ['-wal', '-shm']) await rm(`${file}${more}`, { force: true });
}

const valuesOf = (row: HistoryRow) => [
  ...[row.ring, row.slot, row.lap, row.service, row.member, row.director, row.readings, row.ms],
  ...[row.connections, row.packetsIn, row.packetsOut, row.bytesIn, row.bytesOut, row.active, row.peak],
];
