/** Judging one request against a catalogue: either everything that is wrong with it, or what it would write. */
import type { Edit, Rules } from '../../common/rules.ts';
import type { Stored } from '../../common/view.ts';
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { type Kind, keyOf, kindNames } from '../../protocol/resource.ts';
import type { Breath } from './breath.ts';
import { type Catalogue, type Draft, type Entry, hold, stubOf, tableOf } from './catalogue.ts';
import { type Prepared, type PreparedEdit, preparedEdit } from './prepare.ts';
import type { Moved } from './state.ts';
import type { InviteStep, Outcome, WriteRequest } from './store.ts';

/** An edit that really changes something, with the revision that it gets. */
export interface NumberedEdit extends PreparedEdit {
  revision: number;
}

export interface Accepted {
  edits: NumberedEdit[];
  outcomes: Outcome[];
  warnings: string[];
  /** An operator forced a large removal, so nodes may follow it. */
  shrinks: boolean;
}

export interface JudgeOptions {
  rules: Rules;
  /** An empty draft on top of the catalogue: what the store would be after it. */
  trial: Draft;
  /** Where the store, and each kind, stands before it. */
  revision: number;
  moved: Moved;
  /** Milliseconds since the epoch. */
  now: number;
  breathe: Breath;
}

/** @throws EvenkeelError with every problem */
export async function judgeRequest(
  below: Catalogue | Draft,
  { request, edits }: Prepared,
  { rules, trial, revision, moved, now, breathe }: JudgeOptions,
): Promise<Accepted> {
  const all = [...edits, ...prunedBy(below, request, edits)];
  refuse(duplicates(all));
  const { changing, outcomes } = await compare(below, all, { start: revision, breathe });
  const removals = changing.filter(({ body }) => body === null);
  await hold(trial, changing.flatMap(entryOf), removals, breathe);
  const proposal = { before: below, after: trial, edits: changing.map(({ edit }) => edit) };
  const guarded = rules.guard(proposal, now);
  const isAccepted = (message: string) => request.losses?.includes(message) === true;
  refuse([
    ...conditions(below, all),
    ...rules.admit(proposal),
    ...changeInvite(trial, request.invite, now),
    ...((request.guard ?? 'on') === 'on' ? guarded.filter(({ message }) => !isAccepted(message)) : []),
  ]);
  refuse(overtaken(request, moved));
  const shrinks = request.guard === 'forced' && guarded.some(({ code }) => code === 'too-many-removals');
  return { edits: changing, outcomes, warnings: guarded.map(({ message }) => message), shrinks };
}

function refuse(problems: Problem[]): void {
  const [first] = problems;
  if (!first) return;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  throw new EvenkeelError(
    first.code,
    `${first.path === '' ? '' : `${first.path}: `}${first.message}${more}`,
    { problems },
  );
}

/** Deletions of what stands in the store and not in the request, where the request asks for that. */
function prunedBy(
  below: Catalogue | Draft,
  { prune = [] }: WriteRequest,
  edits: PreparedEdit[],
): PreparedEdit[] {
  if (prune.length === 0) return [];
  const named = new Set(edits.map(keyOf));
  return prune.flatMap((kind) =>
    [...below[kind].keys()]
      .filter((name) => !named.has(keyOf({ kind, name })))
      .map((name) => preparedEdit({ op: 'delete', kind, name, where: '' })),
  );
}

function duplicates(edits: PreparedEdit[]): Problem[] {
  if (edits.length < 2) return [];
  const first = new Map<string, string>();
  return edits.flatMap((prepared): Problem[] => {
    const key = keyOf(prepared);
    const { where } = prepared.edit;
    const before = first.get(key);
    if (before === undefined) first.set(key, where);
    if (before === undefined) return [];
    return [
      {
        code: 'duplicate-document',
        path: where,
        value: key,
        message: `${key} stands in the request already, at ${before}`,
        fix: 'leave one of the two',
      },
    ];
  });
}

/** What each edit comes to. The same content again is no change and makes no entry. */
async function compare(
  below: Catalogue | Draft,
  edits: PreparedEdit[],
  { start, breathe }: { start: number } & Pick<JudgeOptions, 'breathe'>,
) {
  const changing: NumberedEdit[] = [];
  const outcomes: Outcome[] = [];
  for (const prepared of edits) {
    const turn = breathe();
    if (turn) await turn;
    const { kind, name, digest, body } = prepared;
    const known = below[kind].get(name);
    if (known?.digest === digest || (known === undefined && body === null)) {
      outcomes.push({ kind, name, op: 'unchanged', revision: known?.revision ?? 0, digest });
      continue;
    }
    const revision = start + changing.length + 1;
    const op = body === null ? 'delete' : known ? 'update' : 'create';
    changing.push({ ...prepared, revision });
    outcomes.push({ kind, name, op, revision, digest });
  }
  return { changing, outcomes };
}

function entryOf({ edit, revision, digest }: NumberedEdit): Entry[] {
  if (edit.op === 'delete') return [];
  const stored: Stored = { ...edit.resource, revision, digest };
  return [stored.kind === 'Site' ? stubOf(stored) : stored];
}

/** `ifMatch` against the revision that the resource has at this very point of the batch; deletions of what is not there. */
function conditions(below: Catalogue | Draft, edits: PreparedEdit[]): Problem[] {
  return edits.flatMap(({ edit, kind, name }): Problem[] => {
    const has = tableOf(below, kind).get(name)?.revision ?? 0;
    if (edit.ifMatch !== undefined && edit.ifMatch !== has) return [stale(edit, kind, name, has)];
    if (edit.op === 'put' || has > 0) return [];
    return [
      {
        code: 'not-found',
        path: edit.where,
        value: keyOf({ kind, name }),
        message: `there is no ${keyOf({ kind, name })} to delete`,
        fix: 'see its name with `evenkeel get`',
      },
    ];
  });
}

const stale = ({ where, ifMatch }: Edit, kind: Kind, name: string, has: number): Problem => ({
  code: 'stale-revision',
  path: where,
  value: String(ifMatch),
  message: `${keyOf({ kind, name })} ${has === 0 ? 'does not exist' : `is at revision ${has}`}, expected ${ifMatch === 0 ? 'none' : ifMatch}`,
  fix: 'read it again, and repeat the change on what it is now',
});

/** A trial says nothing of what came after it. */
const overtaken = ({ tried = {} }: WriteRequest, moved: Moved): Problem[] =>
  kindNames
    .filter((kind) => moved[kind] > (tried[kind] ?? Number.POSITIVE_INFINITY))
    .map((kind) => ({
      code: 'overtaken',
      path: '',
      value: kind,
      message: `somebody else has changed a ${kind} while this change was tried`,
      fix: 'send it again, when fewer changes are under way',
    }));

/** Of two that come with the same invite in one batch, the second finds what the first has left. */
function changeInvite(draft: Draft, step: InviteStep | undefined, now: number): Problem[] {
  if (step === undefined) return [];
  const invite = draft.invites.get(step.id);
  if (!invite || Date.parse(invite.expires) <= now)
    return [{ code: 'invite-invalid', path: '', message: 'the invitation is unknown or has expired' }];
  draft.invites.set(step.id, step.change(invite));
  return [];
}
