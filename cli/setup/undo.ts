/** The way back of a setup, all or nothing: judged whole by the manager before anything is done, and carried out as one change. */
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { keyOf } from '../../protocol/resource.ts';
import type { ApplyBody } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { type OpenInvites, openInvites, uninvite } from './boxes.ts';
import { saidByOthers } from './declared.ts';
import { specIn } from './documents.ts';
import type { Deed, Kept } from './kept.ts';
import type { World } from './plan.ts';
import { journalSince, keysOf } from './settled.ts';
import { chainsOf, isPlain, type Stands, type Way, wayBack } from './way-back.ts';

export interface InTheWay {
  resource: string;
  why: string;
  fix?: string;
}

export interface UndoPlan {
  /** What would be done, a line for each. */
  lines: string[];
  /** Why nothing of it is done. */
  left: InTheWay[];
  /** What it says once it is done. */
  done: string[];
  /** Absent where nothing is to be declared. */
  change: Change | undefined;
  invites: OpenInvites;
}

type Change = Pick<ApplyBody, 'documents' | 'deletes' | 'revisions' | 'force' | 'losses'>;

interface Step {
  document: Deed['document'];
  now: Stands;
  way: Way;
}

/** What it would do, and what is in the way: by force that is only what the manager admits in no case. */
export async function planUndo(client: Client, kept: Kept, world: World, force: boolean): Promise<UndoPlan> {
  const steps = await stepsOf(client, kept, world, force);
  const invites = openInvites(kept, (await client.call('invites')).items);
  const goes = steps.flatMap((step) => (typeof step.way === 'string' ? [] : [{ ...step, way: step.way }]));
  const changed = steps.filter(({ way }) => way === 'changed').map(changedText);
  const isJoined = ({ document: { kind, name }, way }: (typeof goes)[number]) =>
    !force && kind === 'Node' && way.to === null && world.joined.has(name);
  const joined = goes.filter(isJoined).map(({ document }) => ({
    ...{ resource: keyOf(document), why: 'has joined since', fix: `evenkeel node remove ${document.name}` },
  }));
  const isLost = changed.length > 0 || goes.length === 0;
  const judged = isLost ? { left: [] } : await judge(client, changeOf(goes, force), world);
  return {
    lines: [
      ...goes.map(({ document, way }) => `${way.to === null ? 'delete' : 'put back'} ${keyOf(document)}`),
      ...invites.own.map(({ name }) => `take back the invitation of ${name}`),
    ],
    left: [...changed, ...joined, ...judged.left],
    done: goes.map(({ document, way }) => `${keyOf(document)} ${doneText(way)}`),
    change: judged.change,
    invites,
  };
}

/** Carries it out, and what it says is done. @throws EvenkeelError where somebody was quicker: nothing is done then */
export async function undo(client: Client, { change, invites, done }: UndoPlan): Promise<string[]> {
  if (change !== undefined) await client.call('apply', { body: change });
  await uninvite(client, invites.own);
  return [...done, ...invites.own.map(({ name }) => `the invitation of ${name} is taken back`)];
}

async function stepsOf(client: Client, { deeds }: Kept, world: World, force: boolean): Promise<Step[]> {
  const chains = chainsOf(deeds).map((chain) => {
    const [{ document }] = chain;
    const revision = world.revisions.get(keyOf(document)) ?? 0;
    return { chain, document, now: { spec: specIn(world, document) ?? null, revision } };
  });
  const unclear = chains.filter(({ chain, now }) => !isPlain(chain, now)).flatMap(({ chain }) => chain);
  const since = Math.min(...unclear.map(({ made, was }) => made ?? was));
  const journal = unclear.length === 0 ? new Map() : await journalSince(client, since, keysOf(unclear));
  return chains.map(({ chain, document, now }) => {
    const entries = journal.get(keyOf(document)) ?? [];
    return { document, now, way: wayBack(chain, now, { entries, force }) };
  });
}

const changedText = ({ document, now }: Step): InTheWay => ({
  resource: keyOf(document),
  why: now.spec === null ? 'was deleted since' : 'was changed since by somebody else',
});

const doneText = ({ to, isOthers }: Exclude<Way, string>): string =>
  to === null
    ? 'is deleted'
    : isOthers
      ? 'is as somebody else has declared it meanwhile'
      : 'is as it was before';

/** One change, and only while all of it stands as it was looked at. */
function changeOf(
  goes: { document: Deed['document']; now: Stands; way: Exclude<Way, string> }[],
  force: boolean,
): Change {
  return {
    documents: goes.flatMap(({ document: { kind, name }, now, way: { to } }) =>
      to === null ? [] : [{ kind, name, spec: specOf(to, now.spec) }],
    ),
    deletes: goes.flatMap(({ document: { kind, name }, way: { to } }) =>
      to === null ? [{ kind, name }] : [],
    ),
    revisions: Object.fromEntries(goes.map(({ document, now }) => [keyOf(document), now.revision])),
    ...{ force, losses: [] },
  };
}

/** What others say of it stays as it is now. */
function specOf(before: object, now: object | null): object {
  const spec: Record<string, unknown> = { ...before };
  for (const field of saidByOthers) {
    const value = (now as Record<string, unknown> | null)?.[field];
    if (value === undefined) delete spec[field];
    else spec[field] = value;
  }
  return spec;
}

/** By the manager's dry run. Where no box has joined, that the setup's own services and storages end is no loss. */
async function judge(
  client: Client,
  change: Change,
  { joined }: World,
): Promise<{ left: InTheWay[]; change?: Change }> {
  const problems = await problemsOf(client, change);
  const own = joined.size > 0 ? [] : problems.filter((one) => isOwnLoss(one, change));
  const others = problems.filter((one) => !own.includes(one));
  if (problems.length === 0) return { left: [], change };
  if (others.length > 0) return { left: others.map((one) => inTheWay(one, change)) };
  const bare = { ...change, losses: own.map(({ message }) => message) };
  const still = await problemsOf(client, bare);
  return { left: still.map((one) => inTheWay(one, bare)), change: bare };
}

async function problemsOf(client: Client, change: Change): Promise<Problem[]> {
  try {
    await client.call('apply', { body: { ...change, dryRun: true } });
    return [];
  } catch (err) {
    if (!(err instanceof EvenkeelError) || err.problems.length === 0) throw err;
    return err.problems;
  }
}

/** A guard that speaks of nothing but what the setup has made. */
function isOwnLoss({ code, value }: Problem, { deletes }: Change): boolean {
  const isGone = (kind: string) => deletes.some((one) => one.kind === kind && one.name === value);
  if (code === 'too-many-removals') return true;
  return (
    (code === 'empty-pool' && isGone('VirtualService')) || (code === 'storage-elsewhere' && isGone('Storage'))
  );
}

function inTheWay({ path, code, value, message, fix }: Problem, { documents, deletes }: Change): InTheWay {
  const [, part, number] = /^(documents|deletes)\/(\d+)/.exec(path) ?? [];
  const of = (part === 'documents' ? documents : deletes) as { kind: string; name: string }[];
  const found = part === undefined ? undefined : of[Number(number)];
  const service = code === 'empty-pool' && value !== undefined ? `VirtualService/${value}` : 'the cluster';
  return {
    resource: found ? keyOf(found) : service,
    why: message,
    ...(fix === undefined ? {} : { fix }),
  };
}
