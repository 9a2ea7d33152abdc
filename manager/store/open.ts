/** The store: everything that is declared, in one journal; how its rooms are put together. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Rules } from '../../common/rules.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { backup } from './backup.ts';
import { createCertificates, readCertificates } from './certificates.ts';
import { type Opened, openChecked } from './check.ts';
import type { Db } from './db.ts';
import { createEvents } from './events.ts';
import { createInvites } from './invites.ts';
import { readJournal } from './journal.ts';
import { createListeners } from './listeners.ts';
import { hold, resume } from './mode.ts';
import { prepare } from './prepare.ts';
import { pull } from './pull.ts';
import { createQueueRows } from './queue.ts';
import { readAll, readOne, readPage } from './resources.ts';
import { prune } from './retention.ts';
import { createScheduleRows } from './schedules.ts';
import { basisOf } from './scopes.ts';
import { metaOf, type State } from './state.ts';
import type { Commit, Store } from './store.ts';
import { createTokens, readTokens } from './tokens.ts';
import { verify } from './verify.ts';
import { createWriter } from './writer.ts';

export interface StoreOptions {
  file: string;
  rules: Rules;
  clock: Clock;
  log: Log;
  /** Makes a new, empty store where there is none. */
  create?: boolean;
  /** The id that the cluster must have, where it is known; a new store gets it. */
  cluster?: string;
  /** How many writes may wait before others are told that the store is busy. */
  mostWaiting?: number;
}

/**
 * Opens the store and checks it. One that is missing, does not add up or is of a newer program is opened all the same:
 * to be read as far as it goes, and held with the reason. Nothing is written then.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { clock, log } = options;
  const opened = await openChecked(options);
  const { db, damage } = opened;
  if (damage !== undefined) log.error({ err: damage }, 'the store is damaged and opened read-only');
  /** Of a damaged store whatever can be read: the operator's token may be all that is needed. */
  const readable = async <T>(rows: Promise<T[]>): Promise<T[]> => {
    try {
      return await rows;
    } catch (err) {
      if (damage === undefined) throw err;
      log.warn({ err: messageOf(err) }, 'part of the damaged store cannot be read');
      return [];
    }
  };
  const tokens = createTokens({ db, clock, rows: await readable(readTokens(db)) });
  const certificates = createCertificates({ db, clock, rows: await readable(readCertificates(db)) });
  return { ...assemble(options, opened), tokens, certificates };
}

function assemble(
  { rules, clock, log, mostWaiting }: StoreOptions,
  { db, damage, ...opened }: Opened,
): Omit<Store, 'tokens' | 'certificates'> {
  let { state } = opened;
  const commits = createListeners<Commit>(log);
  /** Something was committed that nobody was told of: every scope says again where it stands. */
  const replace = (fresh: State) => {
    const moved = fresh.revision !== state.revision;
    state = fresh;
    if (moved) commits.tell(everything(fresh));
  };
  const committed = commits.tell;
  const writer = createWriter({ db, rules, clock, log, mostWaiting, state: () => state, replace, committed });
  const events = createEvents({ db, clock, log });
  const queue = createQueueRows({ db, clock });
  const refuseDamaged = () => {
    if (damage !== undefined) throw new EvenkeelError('store-damaged', damage);
  };
  const refuseHeld = () => {
    refuseDamaged();
    if (state.mode === 'held') throw new EvenkeelError('manager-held', state.reason ?? 'the store is held');
  };
  return {
    ...reading(db, rules, () => state),
    write: async (request) => {
      refuseHeld();
      return writer.write(await prepare(request));
    },
    onCommit: commits.add,
    meta: () => metaOf(state, damage),
    hold: async (reason) => {
      if (damage === undefined) await hold(db, state, reason);
    },
    resume: async (options) => {
      refuseDamaged();
      // The new epoch is an entry of its own: nobody may write while its revision is taken.
      if (state.mode === 'serving') await hold(db, state, 'a new epoch was to begin and did not');
      await writer.idle();
      const entry = await resume(db, state, options, clock);
      commits.tell({ entries: [entry], heads: [], touches: {}, gone: [] });
    },
    prune: async () => {
      refuseDamaged();
      await prune({ db, clock, state });
      await queue.prune();
    },
    // In the writer's turn, as a write: nothing moves while it is judged.
    judge: async (request) => writer.write({ ...(await prepare(request)), dry: true }),
    events: damage === undefined ? events : { ...events, append: () => undefined },
    invites: createInvites({ db, clock, state: () => state }),
    queue,
    schedules: createScheduleRows({ db }),
    close: async () => {
      await writer.idle();
      await events.idle();
      await db.close();
    },
  };
}

type Reading = Pick<
  Store,
  'get' | 'list' | 'each' | 'total' | 'view' | 'heads' | 'head' | 'changes' | 'journal' | 'verify' | 'backup'
>;

const reading = (db: Db, rules: Rules, state: () => State): Reading => ({
  get: (kind, name) => readOne(db.read, kind, name),
  list: (kind, page) => readPage(db.read, kind, page),
  each: (kind) => readAll(db.read, kind),
  total: (kind) => state().catalogue[kind].size,
  view: () => state().catalogue,
  heads: () => [...state().scopes.values()].map(basisOf),
  head: (scope) => {
    const known = state().scopes.get(scope);
    return known && basisOf(known);
  },
  changes: (scope, epoch, since) => pull(db, rules, { scope, epoch, since }, state().epoch),
  journal: (page) => readJournal(db.read, page),
  verify: () => verify(db),
  backup: (file) => backup(db, file),
});

const everything = ({ scopes }: State): Commit => ({
  entries: [],
  heads: [...scopes.values()].map((scope) => ({ ...basisOf(scope), changes: null })),
  touches: Object.fromEntries([...scopes.values()].map(({ scope, rev }) => [scope, rev])),
  gone: [],
});
