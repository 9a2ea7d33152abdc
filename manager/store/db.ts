/** The database: SQLite behind promises. The only room that says BEGIN: writes go one by one, reads see one moment. */
import { open } from 'node:fs/promises';
import sqlite3 from 'sqlite3';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { createLane, type Lane } from './lane.ts';

export type Value = string | number | null;

export interface Queries {
  all<T>(sql: string, ...params: Value[]): Promise<T[]>;
  get<T>(sql: string, ...params: Value[]): Promise<T | undefined>;
  /** For whole scripts; takes no parameters. */
  exec(sql: string): Promise<void>;
}

export interface Db {
  /** One read, of whatever is committed by then. */
  read: Pick<Queries, 'all' | 'get'>;
  /** Reads that all see the same moment. @throws EvenkeelError busy when too many wait */
  snapshot<T>(work: (queries: Pick<Queries, 'all' | 'get'>) => Promise<T>): Promise<T>;
  /** Runs alone; durable when it resolves, undone when it throws. @throws EvenkeelError busy when too many wait */
  transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T>;
  /** Copies one moment of the whole database to a new or empty file; writes go on meanwhile. */
  copyTo(target: string): Promise<void>;
  close(): Promise<void>;
}

interface Connection extends Queries {
  close(): Promise<void>;
}

const BUSY_TIMEOUT_MS = 5000;
const SNAPSHOTS = 3;
const MOST_WAITING_READS = 200;
const MOST_WAITING_WRITES = 1000;

/** What is deleted or written over holds secrets: nothing of it stays in the free room of the file. */
const settings = `
  PRAGMA secure_delete = ON;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA temp_store = MEMORY;
  PRAGMA wal_autocheckpoint = 4000;
`;

const failure = (what: string, cause: unknown) =>
  new EvenkeelError('store-failed', `${what}: ${messageOf(cause)}`, { cause });

const opened = (file: string, mode: number): Promise<sqlite3.Database> =>
  new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(file, mode, (err) =>
      err ? reject(failure(file, err)) : resolve(handle),
    );
  });

const prepared = (handle: sqlite3.Database, sql: string): Promise<sqlite3.Statement> =>
  new Promise((resolve, reject) => {
    const statement = handle.prepare(sql, (err: Error | null) =>
      err ? reject(failure('the database refused a statement', err)) : resolve(statement),
    );
  });

/** Statements are few and constant, so each is prepared once. `all` runs them to their end, which ends their read. */
async function connect(file: string, mode: number): Promise<Connection> {
  const handle = await opened(file, mode);
  handle.configure('busyTimeout', BUSY_TIMEOUT_MS);
  const statements = new Map<string, Promise<sqlite3.Statement>>();
  const statementOf = (sql: string) => {
    const known = statements.get(sql) ?? prepared(handle, sql);
    statements.set(sql, known);
    known.catch(() => statements.delete(sql));
    return known;
  };
  const all = async <T>(sql: string, ...params: Value[]): Promise<T[]> => {
    const statement = await statementOf(sql);
    return new Promise((resolve, reject) => {
      statement.all<T>(params, (err, rows) =>
        err ? reject(failure('the database failed', err)) : resolve(rows),
      );
    });
  };
  return {
    all,
    get: async <T>(sql: string, ...params: Value[]) => (await all<T>(sql, ...params))[0],
    exec: (sql) =>
      new Promise((resolve, reject) => {
        handle.exec(sql, (err) => (err ? reject(failure('the database failed', err)) : resolve()));
      }),
    close: async () => {
      for (const statement of await Promise.all(statements.values()))
        await new Promise<void>((resolve) => statement.finalize(() => resolve()));
      await new Promise<void>((resolve, reject) => {
        handle.close((err) => (err ? reject(failure('the database did not close', err)) : resolve()));
      });
    },
  };
}

/** BEGIN, the work, COMMIT. The error that is thrown is always the first one. */
async function within<T>(connection: Connection, begin: string, work: () => Promise<T>): Promise<T> {
  await connection.exec(begin);
  try {
    const result = await work();
    await connection.exec('COMMIT');
    return result;
  } catch (err) {
    // SQLite rolls back by itself after some errors, and then has nothing left to roll back.
    await connection.exec('ROLLBACK').catch(() => undefined);
    throw err;
  }
}

interface Reader {
  connection: Connection;
  lane: Lane;
}

const idlest = (readers: Reader[]): Reader =>
  readers.reduce((best, reader) => (reader.lane.waiting() < best.lane.waiting() ? reader : best));

async function closeAll(connections: Connection[]): Promise<void> {
  for (const connection of connections) await connection.close();
}

/** What SQLite calls a database that is never on disk. */
export const IN_MEMORY = ':memory:';

/** It holds hashes of secrets. SQLite takes an empty file for a new one, and gives its log the mode of the file. */
async function makePrivate(file: string): Promise<void> {
  const handle = await open(file, 'a', 0o600).catch((err: unknown) => {
    throw failure(file, err);
  });
  await handle.chmod(0o600).finally(() => handle.close());
}

/** @param readonly touches nothing at all, for a file that is not to be trusted */
export async function openDb(file: string, { readonly = false } = {}): Promise<Db> {
  const write = readonly ? sqlite3.OPEN_READONLY : sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE;
  if (!readonly && file !== IN_MEMORY) await makePrivate(file);
  const writer = await connect(file, write);
  const readers: Reader[] = [];
  try {
    if (!readonly) await writer.exec(settings);
    for (let n = 0; n <= SNAPSHOTS; n += 1)
      readers.push({
        connection: await connect(file, sqlite3.OPEN_READONLY),
        lane: createLane(MOST_WAITING_READS),
      });
  } catch (err) {
    await closeAll([...readers.map(({ connection }) => connection), writer]);
    throw err;
  }
  // A connection inside BEGIN shows an old moment, so single reads have a connection of their own.
  const [single, ...snapshots] = readers as [Reader, ...Reader[]];
  const writing = createLane(MOST_WAITING_WRITES);
  return {
    read: single.connection,
    snapshot: (work) => {
      const { lane, connection } = idlest(snapshots);
      return lane.run(() => within(connection, 'BEGIN', () => work(connection)));
    },
    transaction: (work) => writing.run(() => within(writer, 'BEGIN IMMEDIATE', () => work(writer))),
    copyTo: async (target) => {
      const connection = await connect(file, sqlite3.OPEN_READONLY);
      await connection.all('VACUUM INTO ?', target).finally(() => connection.close());
    },
    close: async () => {
      await Promise.all([writing, ...readers.map(({ lane }) => lane)].map((lane) => lane.idle()));
      await closeAll([...readers.map(({ connection }) => connection), writer]);
    },
  };
}
