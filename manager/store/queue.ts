/** The queue on disk: runs, commands and tries. Whoever changes many commands at once waits for one transaction. */
import { secretsOf } from '../../common/actions/words.ts';
import { type Clock, moment } from '../../common/clock.ts';
import type { Command } from '../../common/queue/command.ts';
import type { CommandChange, PausedQueue, Run } from '../../common/queue/run.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { type ActionValues, isOpen, type TryResult } from '../../protocol/queue.ts';
import type { Db, Queries } from './db.ts';
import { OPEN, prune } from './queue-prune.ts';
import { type Dealt, putDealt } from './schedules.ts';

export interface QueuePage {
  /** Only those before this one, the newest first. */
  before?: number | undefined;
  limit: number;
}

export interface CommandFilter {
  state?: string | undefined;
  action?: string | undefined;
}

export interface QueueRows {
  /** All that is open, in its order, and the queues that are paused. */
  load(): Promise<{ commands: Command[]; paused: PausedQueue[] }>;
  /** A run, its commands and that its schedule has been dealt with: all or none. @returns the commands with their places */
  add(run: Run, commands: readonly Omit<Command, 'seq'>[], dealt?: Dealt): Promise<Command[]>;
  /** Durable when it resolves; many at once share a transaction. What nobody is shown is kept no longer than it is needed. */
  save(changes: readonly CommandChange[]): Promise<void>;
  pause(queue: PausedQueue): Promise<void>;
  unpause(node: string): Promise<void>;
  ofNode(node: string, page: QueuePage & CommandFilter): Promise<Command[]>;
  run(id: string): Promise<Run | undefined>;
  /** Of all; or of what one has asked for, of an action, with a command in a state. */
  runs(page: QueuePage & CommandFilter & { actor?: string }): Promise<(Run & { seq: number })[]>;
  /** Of all, or the next after a place. */
  ofRun(id: string, page?: { after: number; limit: number }): Promise<Command[]>;
  /** The runs that take one back. */
  undoing(id: string): Promise<string[]>;
  /** The rolling runs that have something left to do with a node, the oldest first. */
  rolling(): Promise<string[]>;
  /** Of each of these runs, how many commands are in which state. */
  counts(ids: readonly string[]): Promise<Map<string, Record<string, number>>>;
  /** Oldest first. */
  tries(run: string, node: string): Promise<TryResult[]>;
  /** Forgets what ended long ago, all but the newest tries of a command that is tried again and again, and what the oldest have said. */
  prune(): Promise<void>;
}

const LARGEST_BATCH = 500;

const insertCommands = `INSERT INTO commands (run, node, state, changed, record)
  SELECT value->>0, value->>1, value->>2, value->>3, value->4 FROM json_each(?) RETURNING seq`;
const update = `UPDATE commands SET state = given.value->>1, changed = given.value->>2, record = given.value->3
  FROM json_each(?) AS given WHERE commands.seq = given.value->>0`;
const insertTries = `INSERT OR IGNORE INTO tries (run, node, number, result, output, at, bytes)
  SELECT value->>0, value->>1, value->>2, value->3, value->>4, value->>5, value->>6 FROM json_each(?)`;
/** Of these runs those that are over on every node. */
const overRuns = `SELECT id, spec, "values" FROM runs WHERE id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM commands WHERE commands.run = runs.id AND ${OPEN})`;

const runFilters = {
  actor: 'actor = ?',
  action: 'action = ?',
  state: 'EXISTS (SELECT 1 FROM commands WHERE commands.run = runs.id AND commands.state = ?)',
};

/** As the index of migration 4 has it, or it is not used. */
const TURNING = `record->>'$.turn.phase' IN ('waits', 'drains', 'open', 'settles')`;

interface CommandRow {
  seq: number;
  record: string;
}
interface RunRow extends Omit<Run, 'spec' | 'values' | 'options'> {
  seq: number;
  spec: string;
  values: string;
  options: string;
}

const commandOf = ({ seq, record }: CommandRow): Command => ({ ...(JSON.parse(record) as Command), seq });
const runOf = ({ spec, values, options, ...row }: RunRow): Run & { seq: number } => ({
  ...row,
  spec: JSON.parse(spec) as Run['spec'],
  values: JSON.parse(values) as Run['values'],
  options: JSON.parse(options) as Run['options'],
});

/** @param keepBytes of what commands have said */
export function createQueueRows({
  db,
  clock,
  keepBytes,
}: {
  db: Db;
  clock: Clock;
  keepBytes?: number;
}): QueueRows {
  const save = together((changes: readonly CommandChange[]) =>
    db.transaction((queries) => write(queries, changes, moment(clock))),
  );
  return {
    load: async () => ({
      commands: (
        await db.read.all<CommandRow>(`SELECT seq, record FROM commands WHERE ${OPEN} ORDER BY seq`)
      ).map(commandOf),
      paused: await db.read.all<PausedQueue>('SELECT node, reason, owner, since FROM paused'),
    }),
    add: (run, commands, dealt) =>
      db.transaction(async (queries) => {
        if (dealt) await putDealt(queries, dealt);
        return add(queries, run, commands);
      }),
    save,
    pause: async ({ node, reason, owner, since }) => {
      const put = 'INSERT OR REPLACE INTO paused (node, reason, owner, since) VALUES (?, ?, ?, ?)';
      await db.transaction((queries) => queries.all(put, node, reason, owner, since));
    },
    unpause: async (node) => {
      await db.transaction((queries) => queries.all('DELETE FROM paused WHERE node = ?', node));
    },
    ofNode: async (node, { before = Number.MAX_SAFE_INTEGER, limit, state = null, action = null }) => {
      const page = `SELECT seq, record FROM commands WHERE node = ?1 AND seq < ?2
        AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR record->>'action' = ?4) ORDER BY seq DESC LIMIT ?5`;
      return (await db.read.all<CommandRow>(page, node, before, state, action, limit)).map(commandOf);
    },
    run: async (id) => {
      const row = await db.read.get<RunRow>('SELECT * FROM runs WHERE id = ?', id);
      return row && runOf(row);
    },
    runs: async ({ before = Number.MAX_SAFE_INTEGER, limit, ...filter }) => {
      const given = Object.entries(filter).flatMap(([name, value]) =>
        value === undefined ? [] : [[runFilters[name as keyof typeof runFilters], value] as const],
      );
      const fits = ['seq < ?', ...given.map(([term]) => term)].join(' AND ');
      const page = `SELECT * FROM runs WHERE ${fits} ORDER BY seq DESC LIMIT ?`;
      const values = given.map(([, value]) => value);
      return (await db.read.all<RunRow>(page, before, ...values, limit)).map(runOf);
    },
    ofRun: async (id, { after, limit } = { after: 0, limit: -1 }) => {
      const rows = 'SELECT seq, record FROM commands WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?';
      return (await db.read.all<CommandRow>(rows, id, after, limit)).map(commandOf);
    },
    undoing: async (id) => {
      const rows = `SELECT id FROM runs WHERE options->>'$.undoes' = ? ORDER BY seq`;
      return (await db.read.all<{ id: string }>(rows, id)).map((row) => row.id);
    },
    rolling: async () => {
      const rows = `SELECT run FROM commands WHERE ${TURNING} GROUP BY run ORDER BY min(seq)`;
      return (await db.read.all<{ run: string }>(rows)).map(({ run }) => run);
    },
    counts: async (ids) => {
      const rows = await db.read.all<{ run: string; state: string; count: number }>(
        `SELECT run, state, count(*) AS count FROM commands
          WHERE run IN (SELECT value FROM json_each(?)) GROUP BY run, state`,
        JSON.stringify(ids),
      );
      const counts = new Map<string, Record<string, number>>(ids.map((id) => [id, {}]));
      for (const { run, state, count } of rows) {
        const own = counts.get(run);
        if (own) own[state] = count;
      }
      return counts;
    },
    tries: async (run, node) => {
      const rows = 'SELECT result, output FROM tries WHERE run = ? AND node = ? ORDER BY number';
      return (await db.read.all<{ result: string; output: string }>(rows, run, node)).map(
        ({ result, output }) => ({ ...(JSON.parse(result) as TryResult), output }),
      );
    },
    prune: () => prune({ db, clock, keepBytes }),
  };
}

async function add(
  queries: Queries,
  run: Run,
  commands: readonly Omit<Command, 'seq'>[],
): Promise<Command[]> {
  await queries.all(
    'INSERT INTO runs (id, action, digest, spec, "values", actor, at, selector, options) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...[
      run.id,
      run.action,
      run.digest,
      JSON.stringify(run.spec),
      JSON.stringify(run.values),
      run.actor,
      run.at,
    ],
    ...[run.selector, JSON.stringify(run.options)],
  );
  const made: Command[] = [];
  for (let at = 0; at < commands.length; at += LARGEST_BATCH) {
    const slice = commands.slice(at, at + LARGEST_BATCH);
    const text = JSON.stringify(slice.map((one) => [one.run, one.node, one.state, run.at, one]));
    const rows = await queries.all<{ seq: number }>(insertCommands, text);
    for (const [index, one] of slice.entries()) made.push({ ...one, seq: rows[index]?.seq ?? 0 });
  }
  return made;
}

async function write(queries: Queries, changes: readonly CommandChange[], at: string): Promise<void> {
  const commands = changes.map(({ command }) => kept(command));
  await queries.all(
    update,
    JSON.stringify(commands.map((command) => [command.seq, command.state, at, command])),
  );
  const results = changes.flatMap(({ command: { run, node }, result }) => {
    if (result === undefined) return [];
    const { output, ...rest } = result;
    return [[run, node, rest.number, rest, output, at, Buffer.byteLength(output)]];
  });
  if (results.length > 0) await queries.all(insertTries, JSON.stringify(results));
  await forgetSecrets(queries, commands);
}

const without = (values: ActionValues, hidden: readonly string[]): ActionValues =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !hidden.includes(name)));

/** Nobody does it again: what nobody is shown has no more use. */
const kept = (command: Command): Command =>
  isOpen(command.state) || command.hidden.length === 0
    ? command
    : { ...command, values: without(command.values, command.hidden) };

/** Nor are commands made of a run of which each is over. */
async function forgetSecrets(queries: Queries, commands: readonly Command[]): Promise<void> {
  const over = commands.filter(({ state }) => !isOpen(state)).map(({ run }) => run);
  if (over.length === 0) return;
  const runs = await queries.all<Pick<RunRow, 'id' | 'spec' | 'values'>>(
    overRuns,
    JSON.stringify([...new Set(over)]),
  );
  for (const { id, spec, values } of runs) {
    const [hidden, all] = [secretsOf(JSON.parse(spec) as Run['spec']), JSON.parse(values) as ActionValues];
    if (hidden.some((name) => name in all))
      await queries.all(
        'UPDATE runs SET "values" = ? WHERE id = ?',
        JSON.stringify(without(all, hidden)),
        id,
      );
  }
}

/** More than nodes can have under way at once. */
const MOST_WAITING = 20_000;

/** Whatever is given while a piece of work runs is the next piece, together. */
function together<T>(work: (items: readonly T[]) => Promise<void>): (items: readonly T[]) => Promise<void> {
  const waiting: { items: readonly T[]; resolve: () => void; reject: (err: unknown) => void }[] = [];
  let isRunning = false;
  const drain = async () => {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, LARGEST_BATCH);
      await work(batch.flatMap(({ items }) => items)).then(
        () => batch.forEach(({ resolve }) => void resolve()),
        (err: unknown) => batch.forEach(({ reject }) => void reject(err)),
      );
    }
    isRunning = false;
  };
  return (items) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= MOST_WAITING)
        return reject(new EvenkeelError('busy', `${MOST_WAITING} changes of queues wait already`));
      waiting.push({ items, resolve, reject });
      if (!isRunning) void drain();
    });
}
