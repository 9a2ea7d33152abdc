/** The schema: migrations in their order, each run once, and what is said of databases that are newer than this program. */
import type { Db, Queries } from './db.ts';
import { journal } from './migrations/0001-journal.ts';
import { journalByName } from './migrations/0002-journal-by-name.ts';

/** Never changed once released: the next change is the next migration. */
const migrations = [journal, journalByName];

export const SCHEMA_VERSION = migrations.length;

export async function versionOf(queries: Pick<Queries, 'get'>): Promise<number> {
  const row = await queries.get<{ user_version: number }>('PRAGMA user_version');
  return row?.user_version ?? 0;
}

/** What to say of a database that a newer program has written. */
export const newer = (version: number, file: string): string =>
  `${file} has schema ${version}, this version knows ${SCHEMA_VERSION} at most; run the version that wrote it`;

/** Brings the schema up to date, each step in a transaction of its own. */
export async function migrate(db: Db): Promise<void> {
  const version = await versionOf(db.read);
  for (const [at, script] of [...migrations.entries()].slice(version))
    await db.transaction((queries) => queries.exec(`${script}; PRAGMA user_version = ${at + 1};`));
}
