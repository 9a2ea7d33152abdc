/** A setup from its answers to a cluster that serves: planned, declared, joined, tried. Each step looks at what is there. */
import { moment, systemClock } from '../../common/clock.ts';
import { readable } from '../../common/fingerprint.ts';
import { canonical, keyOf } from '../../protocol/resource.ts';
import { resourceDiffs } from '../diffs.ts';
import { Ended } from '../failure.ts';
import { withProgress } from '../progress.ts';
import type { Session } from '../session.ts';
import { type Smoked, smokedText } from '../smoke/look.ts';
import type { Answers } from './answers.ts';
import { awaitNodes, type Invited, inviteMissing } from './boxes.ts';
import { isAs } from './declared.ts';
import { documentsOf, type Planned, specIn } from './documents.ts';
import { type Deed, type Keeper, type Kept, newlyKept, withoutAnswers } from './kept.ts';
import { drawing, roleTable } from './look.ts';
import { isNothing, lookAround, type Plan, planOf, type World } from './plan.ts';
import { settled } from './settled.ts';
import { newWords, proposedIn } from './stand.ts';
import { stayKeys, staysOf, staysText } from './stays.ts';

export interface SetupOptions {
  force: boolean;
  dryRun: boolean;
  /** New lines also for boxes that have an invitation. */
  newLines: boolean;
  /** Milliseconds in which boxes may join. */
  wait: number;
  /** Gets the documents of the plan, so that a refusal can name the answer behind each. */
  place: { planned: Planned[] };
  /** Whether to go on with what the summary shows. */
  confirm(question: string): Promise<boolean>;
  /** Undefined where nobody wants it. */
  smoke: (() => Promise<Smoked>) | undefined;
}

export interface SetupEnd {
  changes: { kind: string; name: string; op: string }[];
  /** What is declared and the answers do not have. */
  stays: string[];
  invited: Invited[];
  awaited: string[];
  unfinished: string[];
  smoke?: Smoked;
}

/** @throws EvenkeelError as the manager refuses the plan; Ended where it is not finished, or the cluster does not serve */
export async function setUp(
  session: Session,
  { answers, keeper }: { answers: Answers; keeper: Keeper },
  options: SetupOptions,
): Promise<void> {
  const made = await planNow(session, answers, options);
  summary(session, answers, made);
  const end: SetupEnd = {
    ...{ changes: changesOf(made.plan), stays: stayKeys(staysOf(answers, made.world)) },
    ...{ invited: [], awaited: [], unfinished: [] },
  };
  if (options.dryRun) return session.print(end, () => diffsOf(made.plan, session));
  const book = openBook(keeper);
  if (await declareAll(session, made, { answers, book }, options))
    await finish(session, { answers, book, end }, options);
}

/** What is kept, with each change of it written down at once. */
interface Book {
  now(): Kept;
  keep(next: Kept): Promise<void>;
  /** Somebody has said no. */
  dropAnswers(): Promise<void>;
}

function openBook(keeper: Keeper): Book {
  let kept = keeper.read() ?? newlyKept();
  return {
    now: () => kept,
    keep: async (next) => {
      kept = next;
      await keeper.write(kept);
    },
    dropAnswers: async () => {
      const rest = withoutAnswers(kept);
      await (rest === undefined ? keeper.remove() : keeper.write(rest));
    },
  };
}

interface Made {
  world: World;
  plan: Plan;
}

/** Made of what is declared at this moment. */
async function planNow({ client }: Session, answers: Answers, { force, place }: SetupOptions): Promise<Made> {
  const world = await lookAround(client);
  const planned = documentsOf(answers, world);
  place.planned = planned;
  return { world, plan: await planOf(client, planned, { force }) };
}

const changesOf = ({ answer }: Plan) => answer.changes.filter(({ op }) => op !== 'unchanged');

function summary(session: Session, answers: Answers, { world, plan: { answer } }: Made): void {
  const stays = staysOf(answers, world);
  const { headers, rows } = roleTable(answers, world.joined, stays);
  session.say(`\n${session.table(headers, rows)}\n\n${drawing(answers, stays)}\n`);
  for (const line of staysText(stays)) session.say(line);
  for (const warning of answer.warnings) session.warn(warning);
  const changes = answer.changes.filter(({ op }) => op !== 'unchanged');
  for (const { kind, name, op } of changes) session.say(`  ${op} ${kind}/${name}`);
  const more = answer.created + answer.updated - changes.length;
  if (more > 0) session.say(`  and ${more} more`);
}

const diffsOf = ({ answer }: Plan, session: Session): string =>
  answer.created + answer.updated === 0
    ? 'nothing to change: all of it is declared'
    : `\n${resourceDiffs(answer, session.paint).join('\n\n')}\n\nnothing was changed: this was a dry run`;

/** @returns whether all of it is declared; not where somebody said no */
async function declareAll(
  session: Session,
  made: Made,
  { answers, book }: { answers: Answers; book: Book },
  options: SetupOptions,
): Promise<boolean> {
  const kept = book.now();
  if (isNothing(made.plan)) {
    session.say('nothing to change: what is declared is as answered');
    const { began, finished } = kept;
    const rest = withoutAnswers(kept) ?? { ...newlyKept(), began };
    await book.keep({ ...rest, ...(finished === undefined ? { declared: answers } : {}) });
    return true;
  }
  if (!(await options.confirm('declare this?'))) {
    await book.dropAnswers();
    session.say('nothing was changed, and the answers are dropped');
    return false;
  }
  const { world, plan } = await stillSo(session, answers, made, options);
  const deeds = deedsOf(plan, world);
  // Written before anything is declared: whatever comes between can be taken back.
  await book.keep({
    ...{ ...kept, ...newWords(answers, proposedIn(kept.declared, world)) },
    declaring: { from: kept.deeds.length, since: world.revision, by: plan.answer.actor, answers },
    deeds: [...kept.deeds, ...deeds],
  });
  const { answer } = await planOf(session.client, plan.planned, {
    ...{ force: options.force, dryRun: false },
    revisions: Object.fromEntries(deeds.map(({ document, was }) => [keyOf(document), was])),
  });
  await book.keep(await settled(session.client, book.now()));
  session.say(`declared: ${answer.created} created, ${answer.updated} updated; revision ${answer.revision}`);
  return true;
}

/** Whoever read the summary may have taken an hour, and documents hold whole specs. */
async function stillSo(session: Session, answers: Answers, seen: Made, options: SetupOptions): Promise<Made> {
  const now = await planNow(session, answers, options);
  if (canonical(changesOf(now.plan)) === canonical(changesOf(seen.plan))) return now;
  session.warn('somebody has changed what is declared meanwhile; nothing was changed here: run it again');
  throw new Ended('stale');
}

/** What the plan changes, with what stands there now. */
const deedsOf = ({ planned }: Plan, world: World): Deed[] =>
  planned
    .map(({ document }) => ({
      ...{ document, before: specIn(world, document) ?? null },
      was: world.revisions.get(keyOf(document)) ?? 0,
    }))
    .filter(({ document, before }) => !isAs(document, before));

interface Going {
  answers: Answers;
  book: Book;
  end: SetupEnd;
}

async function finish(session: Session, { answers, book, end }: Going, options: SetupOptions): Promise<void> {
  const { client } = session;
  const joined = await joinedNow(session);
  end.invited = await inviteMissing(client, answers.nodes, {
    ...{ joined, anew: options.newLines, kept: book.now() },
    keep: (more) => book.keep({ ...book.now(), ...more }),
  });
  for (const one of end.invited) {
    session.say(invitedText(one));
    for (const other of one.others ?? []) session.warn(other);
  }
  if (end.invited.length > 0 && options.wait > 0)
    session.say('\nwaiting for them; after Ctrl-C `evenkeel setup` goes on here');
  const arrival = await withProgress('waiting for the nodes', (progress) =>
    awaitNodes(client, answers, { limit: options.wait, progress }),
  );
  end.awaited = arrival.awaited;
  end.unfinished = arrival.unfinished;
  if (arrival.awaited.length + arrival.unfinished.length > 0) {
    session.print(end, () => unfinishedText(end));
    throw new Ended('unfinished');
  }
  session.say(`every node is as declared: ${answers.nodes.map(({ name }) => name).join(', ')}`);
  const smoked = await options.smoke?.();
  if (smoked) end.smoke = smoked;
  session.print(end, () =>
    smoked ? smokedText(smoked, session) : 'the cluster is set up; it was not tried',
  );
  if (smoked?.ok === false) throw new Ended('difference');
  const { declared: _, ...kept } = book.now();
  if (kept.finished === undefined) await book.keep({ ...kept, finished: moment(systemClock) });
}

async function joinedNow({ client }: Session): Promise<Set<string>> {
  const { items } = await client.call('nodes');
  return new Set(items.filter(({ state }) => state !== 'pending').map(({ name }) => name));
}

function invitedText({ name, line, state, expires, fingerprint }: Invited): string {
  if (state === 'waiting')
    return `\n${name} waits for you: evenkeel node waiting, and evenkeel node accept ${name}`;
  if (line === undefined)
    return `\n${name} is invited already, until ${expires}; evenkeel setup --new-lines shows another line`;
  return [
    `\non ${name}, as root (good until ${expires}; the manager’s fingerprint: ${readable(fingerprint ?? '')}):`,
    `  ${line}`,
  ].join('\n');
}

const unfinishedText = ({ awaited, unfinished }: SetupEnd): string =>
  [
    ...(awaited.length > 0 ? [`\nnot joined yet: ${awaited.join(', ')}`] : []),
    ...unfinished,
    'run `evenkeel setup` again when they have: it goes on here; `evenkeel setup --undo --dry-run` says what can be taken back',
  ].join('\n');
