/** The schema: migrations in their order, each run once, and what is said of databases that are newer than this program. */
import { type Db, openDb, type Queries } from './db.ts';
import { journal } from './migrations/0001-journal.ts';
import { journalByName } from './migrations/0002-journal-by-name.ts';
import { queue } from './migrations/0003-queue.ts';
import { rolling } from './migrations/0004-rolling.ts';
import { schedules } from './migrations/0005-schedules.ts';

/** Never changed once released: the next change is the next migration. */
const migrations = [journal, journalByName, queue, rolling, schedules];

export const SCHEMA_VERSION = migrations.length;

export async function versionOf(queries: Pick<Queries, 'get'>): Promise<number> {
  const row = await queries.get<{ user_version: number }>('PRAGMA user_version');
  return row?.user_version ?? 0;
}

/** Where the store of an older schema is kept when it is made newer. */
export const copyOf = (file: string, version: number): string => `${file}.schema-${version}`;

/** What to say of a database that a newer program has written. */
export const newer = (version: number, file: string): string =>
  `${file} has schema ${version}, this version knows ${SCHEMA_VERSION} at most; run the version that wrote it, ` +
  'or `evenkeel-manager undo-upgrade`, which puts back the copy that was made before';

/**
 * Brings the schema up to date, each step in a transaction of its own.
 * @param before is called once, where there is something to change in a store that was used
 */
export async function migrate(db: Db, before: (version: number) => Promise<void>): Promise<void> {
  const version = await versionOf(db.read);
  if (version > 0 && version < SCHEMA_VERSION) await before(version);
  for (const [at, script] of [...migrations.entries()].slice(version))
    await db.transaction((queries) => queries.exec(`${script}; PRAGMA user_version = ${at + 1};`));
}

/** The schema of a store, which is only read. @throws EvenkeelError store-failed */
export async function schemaOf(file: string): Promise<number> {
  const db = await openDb(file, { readonly: true });
  try {
    return await versionOf(db.read);
  } finally {
    await db.close();
  }
}
