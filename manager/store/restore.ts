/** Restore: makes a copy of the store fit to take over, with an epoch that no node has seen, and held until an operator says go. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Rules } from '../../common/rules.ts';
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { openChecked } from './check.ts';
import { enterEpoch, type NewEpoch, raiseEpoch } from './epoch.ts';
import { writeHold } from './mode.ts';
import { metaOf } from './state.ts';
import type { Meta } from './store.ts';
import { verify } from './verify.ts';

export interface RestoreOptions extends NewEpoch {
  /** The database from a backup, already where the manager will look for it. No manager may have it open. */
  file: string;
  /** Why it will be held. */
  reason: string;
  rules: Rules;
  clock: Clock;
  log: Log;
}

/** @throws EvenkeelError store-damaged when the backup does not verify; the file is then as it was */
export async function restoreStore(options: RestoreOptions): Promise<Meta> {
  const { file, rules, clock, log } = options;
  const { db, state, damage } = await openChecked({ file, rules, clock });
  try {
    const { problems } = damage === undefined ? await verify(db) : { problems: [damage] };
    if (problems.length > 0) throw damaged(file, problems);
    const entry = await db.transaction(async (queries) => {
      await writeHold(queries, options.reason);
      // An invite that was used after the backup was taken must not open the door a second time.
      await queries.all('DELETE FROM invites');
      return raiseEpoch(queries, state, options, clock);
    });
    enterEpoch(state, entry);
    log.info({ epoch: entry.epoch, revision: entry.rev }, 'store was restored and is held');
    return metaOf({ ...state, mode: 'held', reason: options.reason });
  } finally {
    await db.close();
  }
}

const damaged = (file: string, messages: string[]) => {
  const problems = messages.map((message): Problem => ({ code: 'store-damaged', path: '', message }));
  return new EvenkeelError('store-damaged', `the backup ${file} does not verify: ${messages[0]}`, {
    problems,
  });
};
