/** The floor of accepted changes: SQLite as the store has it set, one row and one transaction at a time. */
import { join } from 'node:path';
import { promisify } from 'node:util';
import sqlite3 from 'sqlite3';

/** Inserts rows one after the other, each durable before the next; returns rows a second. */
export async function transactionFloor(folder: string, bodies: readonly string[]): Promise<number> {
  const database = new sqlite3.Database(join(folder, 'floor.sqlite'));
  const run = (sql: string) => promisify(database.exec.bind(database))(sql);
  await run('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  await run('CREATE TABLE entry (rev INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO entry (body) VALUES (?)');
  const one = (body: string) =>
    new Promise<void>((resolve, reject) => {
      insert.run(body, (err: Error | null) => (err ? reject(err) : resolve()));
    });
  const begun = performance.now();
  for (const body of bodies) await one(body);
  const seconds = (performance.now() - begun) / 1000;
  await promisify(insert.finalize.bind(insert))();
  await promisify(database.close.bind(database))();
  return bodies.length / seconds;
}
