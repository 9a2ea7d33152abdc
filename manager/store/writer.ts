/** The writer: whatever waits is judged in order and committed as one transaction; answers leave after COMMIT. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Rules } from '../../common/rules.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { judgeBatch, type Work } from './batch.ts';
import { pour } from './catalogue.ts';
import type { Db } from './db.ts';
import { commitOf } from './heads.ts';
import type { Prepared } from './prepare.ts';
import { writeBatch } from './rows.ts';
import { movesOf, selectionAfter, standAfter } from './scopes.ts';
import { loadState, type State } from './state.ts';
import type { Commit, WriteResult } from './store.ts';

interface Waiting {
  prepared: Prepared;
  resolve: (result: WriteResult) => void;
  reject: (reason: Error) => void;
}

export interface Writer {
  /** @throws EvenkeelError with every problem, or busy, or store-failed */
  write(prepared: Prepared): Promise<WriteResult>;
  /** Replaces the state by what is on disk, between two batches. */
  reload(): Promise<void>;
  /** Waits until nothing waits. */
  idle(): Promise<void>;
}

export interface WriterOptions {
  db: Db;
  rules: Rules;
  clock: Clock;
  log: Log;
  state: () => State;
  replace: (state: State) => void;
  committed: (commit: Commit) => void;
  /** How many requests may wait; one more is told that the store is busy. */
  mostWaiting?: number | undefined;
}

const MOST_WAITING_EDITS = 500_000;
const BATCH_EDITS = 10_000;

export function createWriter(options: WriterOptions): Writer {
  const { db, rules, clock, log, state, replace, committed, mostWaiting = 20_000 } = options;
  const queue: Waiting[] = [];
  let waitingEdits = 0;
  let running: Promise<void> | undefined;
  /** After a failure the state may not be what is on disk; nothing is judged by it until it is read again. */
  let doubtful = false;

  const take = (): Waiting[] => {
    let edits = 0;
    const end = queue.findIndex(({ prepared }) => {
      edits += prepared.edits.length;
      return edits > BATCH_EDITS;
    });
    const batch = queue.splice(0, end === -1 ? queue.length : Math.max(1, end));
    waitingEdits -= batch.reduce((sum, { prepared }) => sum + prepared.edits.length, 0);
    return batch;
  };
  const run = async () => {
    await setImmediate();
    while (queue.length > 0) {
      const batch = take();
      try {
        if (doubtful) await reload();
        await commit(batch);
      } catch (err) {
        doubtful = true;
        log.error({ requests: batch.length, err: messageOf(err) }, 'batch was not committed');
        const cause = new EvenkeelError('store-failed', `the batch was not committed: ${messageOf(err)}`, {
          cause: err,
        });
        for (const { reject } of batch) reject(cause);
      }
    }
  };
  const commit = async (batch: Waiting[]) => {
    const { work, verdicts } = await judgeBatch(
      batch.map(({ prepared }) => prepared),
      state(),
      { rules, clock },
    );
    if (work.entries.length + work.invites.size > 0) await carryOut(work);
    for (const [at, { resolve, reject }] of batch.entries()) {
      const verdict = verdicts[at] as (typeof verdicts)[number];
      if ('result' in verdict) resolve(verdict.result);
      else reject(verdict.refusal);
    }
  };
  const carryOut = async (work: Work) => {
    const now = state();
    const { draft, entries, revision, chain, moved } = work;
    const invites = [...work.invites].flatMap((id) => draft.invites.get(id) ?? []);
    const selection = { before: now.selection, after: selectionAfter(draft, now.selection, rules) };
    const moves = await movesOf(now.catalogue, draft, selection, rules);
    const at = { epoch: now.epoch, rev: revision };
    const { followed } = selection.after;
    const { touched, gone } = await standAfter(now.scopes, moves, { followed, at, shrinks: work.shrinks });
    await db.transaction((queries) =>
      writeBatch(queries, { entries, moves, scopes: [...touched.values()], gone, invites }),
    );
    pour(draft, now.catalogue);
    Object.assign(now, { selection: selection.after, revision, chain, moved });
    for (const [name, scope] of touched) now.scopes.set(name, scope);
    for (const name of gone) now.scopes.delete(name);
    committed(commitOf({ entries, moves, touched, gone }));
  };
  const reload = async () => {
    replace(await loadState(db, rules));
    doubtful = false;
  };
  return {
    write: (prepared) =>
      new Promise((resolve, reject) => {
        if (queue.length >= mostWaiting || waitingEdits >= MOST_WAITING_EDITS)
          return reject(new EvenkeelError('busy', `${queue.length} writes wait already`));
        waitingEdits += prepared.edits.length;
        queue.push({ prepared, resolve, reject });
        running ??= run().finally(() => {
          running = undefined;
        });
      }),
    reload,
    idle: async () => {
      while (running) await running;
    },
  };
}
