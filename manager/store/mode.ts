/** The mode: serving, or held read-only until an operator has said how to go on. */
import type { Clock } from '../../common/clock.ts';
import type { Header } from './chain.ts';
import type { Db, Queries } from './db.ts';
import { enterEpoch, raiseEpoch } from './epoch.ts';
import type { State } from './state.ts';
import type { Resume } from './store.ts';

const setMeta = `INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`;

export async function writeHold(queries: Queries, reason: string): Promise<void> {
  await queries.all(setMeta, 'mode', 'held');
  await queries.all(setMeta, 'reason', reason);
}

/** Holds at once; it is on disk when it resolves. */
export async function hold(db: Db, state: State, reason: string): Promise<void> {
  state.mode = 'held';
  state.reason = reason;
  await db.transaction((queries) => writeHold(queries, reason));
}

/**
 * Serves again, in a new epoch: nodes that are ahead of this store would refuse it for ever in the old one.
 * @returns the entry that begins the epoch
 */
export async function resume(db: Db, state: State, options: Resume, clock: Clock): Promise<Header> {
  const { allowShrink } = options;
  const entry = await db.transaction(async (queries) => {
    const begun = await raiseEpoch(queries, state, options, clock);
    await queries.all(setMeta, 'mode', 'serving');
    await queries.all(`DELETE FROM meta WHERE key = 'reason'`);
    if (allowShrink) await queries.all('UPDATE scopes SET shrink_epoch = epoch, shrink_rev = rev');
    return begun;
  });
  enterEpoch(state, entry);
  state.mode = 'serving';
  state.reason = undefined;
  if (allowShrink) allowAll(state);
  return entry;
}

/** An allowance in the new epoch covers whoever stands in an older one, however far. */
function allowAll({ scopes }: State): void {
  for (const [name, scope] of scopes) {
    const { epoch, rev } = scope;
    scopes.set(name, { ...scope, shrink: { epoch, rev } });
  }
}
