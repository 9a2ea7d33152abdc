/** Schedules on disk: up to when each has been dealt with. What it begins is kept with that in one transaction. */
import type { Db, Queries } from './db.ts';

/** No moment of a schedule up to this one is looked at again. */
export interface Dealt {
  name: string;
  /** The line that it was by. */
  plan: string;
  upto: string;
}

export interface ScheduleRows {
  get(name: string): Promise<Dealt | undefined>;
  put(dealt: Dealt): Promise<void>;
  forget(name: string): Promise<void>;
}

export function createScheduleRows({ db }: { db: Db }): ScheduleRows {
  return {
    get: (name) => db.read.get<Dealt>('SELECT name, plan, upto FROM scheduled WHERE name = ?', name),
    put: (dealt) => db.transaction((queries) => putDealt(queries, dealt)),
    forget: async (name) => {
      await db.transaction((queries) => queries.all('DELETE FROM scheduled WHERE name = ?', name));
    },
  };
}

/** Within a transaction. */
export async function putDealt(queries: Queries, { name, plan, upto }: Dealt): Promise<void> {
  await queries.all('INSERT OR REPLACE INTO scheduled (name, plan, upto) VALUES (?, ?, ?)', name, plan, upto);
}
