/** A batch: requests judged one after the other, each on what those before it would leave, into one piece of work. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Rules } from '../../common/rules.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { createBreath } from './breath.ts';
import { createDraft, type Draft, drop, pour } from './catalogue.ts';
import { linkOf } from './chain.ts';
import { judgeRequest, type NumberedEdit } from './judge.ts';
import type { Prepared } from './prepare.ts';
import type { JournalRow } from './rows.ts';
import type { Moved, State } from './state.ts';
import type { WriteResult } from './store.ts';

/** How one request ended; told only once the batch is on disk, since even a refusal speaks of those before it. */
export type Verdict = { result: WriteResult } | { refusal: Error };

/** What a batch would write, on top of the state that it began with. */
export interface Work {
  draft: Draft;
  entries: JournalRow[];
  /** Ids of invites that are not what they were. */
  invites: Set<string>;
  revision: number;
  chain: string;
  moved: Moved;
  shrinks: boolean;
}

/** One refused request leaves nothing behind, and the others go on. Others get a turn between slices of the work. */
export async function judgeBatch(
  batch: Prepared[],
  state: Pick<State, 'catalogue' | 'epoch' | 'revision' | 'chain' | 'moved'>,
  { rules, clock }: { rules: Rules; clock: Clock },
): Promise<{ work: Work; verdicts: Verdict[] }> {
  const { epoch, revision, chain } = state;
  const moved = { ...state.moved };
  const draft = createDraft(state.catalogue);
  const trial = createDraft(draft);
  const work: Work = { draft, entries: [], invites: new Set(), revision, chain, moved, shrinks: false };
  const at = moment(clock);
  const breathe = createBreath();
  const judge = async (prepared: Prepared): Promise<Verdict> => {
    try {
      const options = { rules, trial, revision: work.revision, moved, now: clock.now(), breathe };
      const { edits, shrinks, outcomes, warnings } = await judgeRequest(draft, prepared, options);
      if (prepared.dry) {
        drop(trial);
        const last = edits.at(-1)?.revision ?? work.revision;
        return { result: { epoch, revision: last, outcomes, warnings } };
      }
      pour(trial, draft);
      const { actor, invite } = prepared.request;
      for (const edit of edits) {
        work.entries.push(entryOf(edit, work, { epoch, at, actor }));
        await breathe();
      }
      if (invite !== undefined) work.invites.add(invite.id);
      work.shrinks ||= shrinks;
      return { result: { epoch, revision: work.revision, outcomes, warnings } };
    } catch (err) {
      drop(trial);
      return { refusal: refusalOf(err) };
    }
  };
  const verdicts: Verdict[] = [];
  for (const prepared of batch) verdicts.push(await judge(prepared));
  return { work, verdicts };
}

/** A mistake of our own in judging one request is that request's alone. */
const refusalOf = (err: unknown): EvenkeelError =>
  err instanceof EvenkeelError
    ? err
    : new EvenkeelError('internal', `the request could not be judged: ${messageOf(err)}`, { cause: err });

/** Links an edit to the entry before it, and moves the work on to it. */
function entryOf(
  { kind, name, digest, body, revision }: NumberedEdit,
  work: Work,
  { epoch, at, actor }: Pick<JournalRow, 'epoch' | 'at' | 'actor'>,
): JournalRow {
  const op = body === null ? 'delete' : 'put';
  const header = { rev: revision, epoch, at, actor, kind, name, op: op as JournalRow['op'], digest };
  work.chain = linkOf(work.chain, header);
  work.revision = revision;
  work.moved[kind] = revision;
  return { ...header, chain: work.chain, body };
}
