/** Opening: the file is there, of this schema and this cluster, and adds up; else it is opened to be read and nothing more. */
import { randomUUID } from 'node:crypto';
import { access, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, moment } from '../../common/clock.ts';
import { EMPTY_DIGEST } from '../../common/digest.ts';
import { syncFolder } from '../../common/files.ts';
import type { Rules } from '../../common/rules.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { backup } from './backup.ts';
import { createCatalogue } from './catalogue.ts';
import { genesis } from './chain.ts';
import { type Db, IN_MEMORY, openDb } from './db.ts';
import { readJournal } from './journal.ts';
import { copyOf, migrate, newer, SCHEMA_VERSION, versionOf } from './schema.ts';
import { selectionOf } from './scopes.ts';
import { allMoved, loadState, type State } from './state.ts';
import { selectionProblems } from './sums.ts';
import { entryProblems } from './verify.ts';

export interface OpenOptions {
  file: string;
  rules: Rules;
  clock: Clock;
  /** Makes a new, empty store where there is none. */
  create?: boolean;
  /** The id that the cluster must have, where it is known; a new store gets it. */
  cluster?: string;
}

export interface Opened {
  db: Db;
  state: State;
  /** Why it may only be read; undefined when all is well. */
  damage: string | undefined;
}

/** How many of the newest entries are checked at each start; `verify` checks all. */
const TAIL = 1000;

export async function openChecked(options: OpenOptions): Promise<Opened> {
  const { file, create = false } = options;
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (!there && !create) return openDamaged(options, `there is no store at ${file}`);
  try {
    return await openSound(options, there);
  } catch (err) {
    if (!(err instanceof Damage)) throw err;
    return openDamaged(options, err.message);
  }
}

/**
 * As much as can still be read. Where that is nothing, an empty database in memory stands in: a file that is made
 * now would be taken for the store at the next start.
 */
async function openDamaged(options: OpenOptions, damage: string): Promise<Opened> {
  const db = await openDb(options.file, { readonly: true }).catch(() => openDb(IN_MEMORY));
  const state = await loadState(db, options.rules).catch((err: unknown) => nothing(options, messageOf(err)));
  return { db, state, damage };
}

/** What was found makes the store unfit to be written. */
class Damage extends Error {}

const damaging = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (err) {
    if (err instanceof EvenkeelError && err.code === 'store-failed') throw new Damage(err.message);
    throw err;
  }
};

async function openSound(options: OpenOptions, there: boolean): Promise<Opened> {
  const { file, rules, create = false } = options;
  if (there) await damaging(() => inspect(file, create));
  const db = await damaging(() => openDb(file));
  try {
    // What fails here fails the start: a release that cannot make the store newer must not count as one that runs.
    await migrate(db, (version) => keepBefore(db, file, version));
    return await damaging(async () => {
      if (create) await initialise(db, options);
      const state = await loadState(db, rules);
      const [problem] = await findProblems(db, state, options);
      if (problem) throw new Damage(problem);
      return { db, state, damage: undefined };
    });
  } catch (err) {
    await db.close();
    throw err;
  }
}

/** What a migration starts from stays beside the store, for a way back to the version of before. */
async function keepBefore(db: Db, file: string, version: number): Promise<void> {
  const copy = copyOf(file, version);
  const fresh = `${copy}.new`;
  await rm(fresh, { force: true });
  await backup(db, fresh);
  await rename(fresh, copy);
  await syncFolder(dirname(copy));
}

/** Before anything may be written to it: opening for writing alone would change the file. */
async function inspect(file: string, create: boolean): Promise<void> {
  const db = await openDb(file, { readonly: true });
  try {
    const version = await versionOf(db.read);
    if (version > SCHEMA_VERSION) throw new Damage(newer(version, file));
    if (version === 0 && !create) throw new Damage(`${file} is empty`);
    const check = await db.read.get<{ quick_check: string }>('PRAGMA quick_check(1)');
    if (check?.quick_check !== 'ok')
      throw new Damage(`${file}: ${check?.quick_check ?? 'cannot be checked'}`);
  } finally {
    await db.close();
  }
}

/** Gives a new store its identity; one that has it keeps it. */
async function initialise(db: Db, { clock, cluster = randomUUID() }: OpenOptions): Promise<void> {
  await db.transaction(async (queries) => {
    const known = await queries.get(`SELECT 1 FROM meta WHERE key = 'cluster'`);
    if (known) return;
    const values = { cluster, created: moment(clock), epoch: '1', mode: 'serving' };
    for (const [key, value] of Object.entries(values))
      await queries.all('INSERT INTO meta (key, value) VALUES (?, ?)', key, value);
    await queries.all(
      `INSERT INTO scopes (scope, epoch, rev, since, count, digest, floor) VALUES ('cluster', 1, 0, 0, 0, ?, 0)`,
      EMPTY_DIGEST,
    );
  });
}

async function findProblems(db: Db, state: State, { file, rules, cluster }: OpenOptions): Promise<string[]> {
  if (state.cluster === '') return [`${file} belongs to no cluster`];
  if (cluster !== undefined && state.cluster !== cluster)
    return [`${file} belongs to the cluster ${state.cluster}, this manager to ${cluster}`];
  return [...(await tailProblems(db, state)), ...selectionProblems(state, rules)];
}

async function tailProblems(db: Db, { cluster }: State): Promise<string[]> {
  const tail = await readJournal(db.read, { limit: TAIL + 1 });
  const [first] = tail;
  if (!first) return [];
  const whole = first.rev === 1;
  let before = whole ? { link: genesis(cluster), since: 0 } : { link: first.chain, since: first.rev };
  return (whole ? tail : tail.slice(1)).flatMap((entry) => {
    const problems = entryProblems(entry, before);
    before = { link: entry.chain, since: entry.rev };
    return problems;
  });
}

function nothing({ rules, cluster = '' }: OpenOptions, reason: string): State {
  const catalogue = createCatalogue();
  return {
    cluster,
    created: '',
    epoch: 0,
    revision: 0,
    moved: allMoved(0),
    chain: '',
    mode: 'held',
    reason,
    catalogue,
    selection: selectionOf(catalogue, rules),
    scopes: new Map(),
  };
}
