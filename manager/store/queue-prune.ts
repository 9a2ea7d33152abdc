/** How much is kept of the queue: what ended long ago is forgotten, then what the oldest tries have said. In slices: others have their turn. */
import { type Clock, moment } from '../../common/clock.ts';
import type { TryResult } from '../../protocol/queue.ts';
import type { Db } from './db.ts';

const KEPT_MS = 90 * 86_400_000;
/** So many of the newest commands, those that are over among them. */
const MOST_KEPT = 200_000;
const KEPT_TRIES = 20;
/** Of what commands have said. */
const MOST_BYTES = 1024 * 1024 * 1024;
const SLICE = 500;
/** What was said is large, and is read before it goes. */
const SAID_SLICE = 100;

/** As the indexes of migration 3 have it, or they are not used. */
export const OPEN = `state IN ('waiting', 'running', 'failed', 'unknown')`;

export interface PruneOptions {
  db: Db;
  clock: Clock;
  keepBytes?: number | undefined;
}

/** What is to go is looked for beside the writer: what is over, or has no owner, stays so. */
interface Old {
  find: string;
  remove: string;
}

const removeCommands = 'DELETE FROM commands WHERE seq IN (SELECT value->>0 FROM json_each(?))';
const ended: Old = {
  find: `SELECT seq FROM commands WHERE changed < ? AND NOT ${OPEN} ORDER BY seq LIMIT ?`,
  remove: removeCommands,
};
const surplus: Old = {
  find: `SELECT seq FROM commands
    WHERE seq <= (SELECT max(seq) FROM commands) - ${MOST_KEPT} AND NOT ${OPEN} ORDER BY seq LIMIT ?`,
  remove: removeCommands,
};
const orphans: Old = {
  find: `SELECT seq FROM runs
    WHERE at < ? AND NOT EXISTS (SELECT 1 FROM commands WHERE commands.run = runs.id) LIMIT ?`,
  remove: 'DELETE FROM runs WHERE seq IN (SELECT value->>0 FROM json_each(?))',
};
const untried: Old = {
  find: `SELECT run, node, number FROM tries AS old WHERE
      NOT EXISTS (SELECT 1 FROM commands WHERE commands.run = old.run AND commands.node = old.node)
      OR number <= (SELECT max(number) FROM tries AS new WHERE new.run = old.run AND new.node = old.node) - ${KEPT_TRIES}
    LIMIT ?`,
  remove: `DELETE FROM tries
    WHERE (run, node, number) IN (SELECT value->>0, value->>1, value->>2 FROM json_each(?))`,
};

export async function prune({ db, clock, keepBytes = MOST_BYTES }: PruneOptions): Promise<void> {
  await removeAll(db, ended, new Date(Math.max(0, clock.now() - KEPT_MS)).toISOString());
  await removeAll(db, surplus);
  await removeAll(db, orphans, moment(clock));
  await removeAll(db, untried);
  await quieten(db, keepBytes);
}

async function removeAll(db: Db, { find, remove }: Old, ...params: string[]): Promise<void> {
  for (let found = SLICE; found === SLICE; ) {
    const rows = await db.snapshot((queries) => queries.all<object>(find, ...params, SLICE));
    const keys = JSON.stringify(rows.map((row) => Object.values(row) as unknown[]));
    if (rows.length > 0) await db.transaction((queries) => queries.all(remove, keys));
    found = rows.length;
  }
}

interface Said {
  run: string;
  node: string;
  number: number;
  bytes: number;
  result: string;
  output: string;
}

/** Both are answered by the index of migration 3 alone: what was said is not read to be counted. */
const total = 'SELECT coalesce(sum(bytes), 0) AS bytes FROM tries WHERE bytes > 0';
const oldestSaid = `SELECT run, node, number, bytes, result, output FROM tries WHERE bytes > 0
  ORDER BY at LIMIT ${SAID_SLICE}`;
const empty = `UPDATE tries SET output = '', bytes = 0, result = given.value->3 FROM json_each(?) AS given
  WHERE run = given.value->>0 AND node = given.value->>1 AND number = given.value->>2`;

/** How each try ended stays, and that so much was said. */
async function quieten(db: Db, keepBytes: number): Promise<void> {
  const { bytes = 0 } = (await db.read.get<{ bytes: number }>(total)) ?? {};
  for (let surplus = bytes - keepBytes; surplus > 0; )
    surplus = await db.transaction(async (queries) => {
      let left = surplus;
      const gone: unknown[] = [];
      for (const { run, node, number, ...said } of await queries.all<Said>(oldestSaid)) {
        if (left <= 0) break;
        gone.push([run, node, number, silenced(said)]);
        left -= said.bytes;
      }
      await queries.all(empty, JSON.stringify(gone));
      // What is counted and not there would never come to an end.
      return gone.length === 0 ? 0 : left;
    });
}

function silenced({ result, output }: Pick<Said, 'result' | 'output'>): Omit<TryResult, 'output'> {
  const kept = JSON.parse(result) as Omit<TryResult, 'output'>;
  return { ...kept, omitted: kept.omitted + output.length };
}
