/** A unit's lines on their way into the kernel: written down, made, what nobody asks for any more undone, and read back. */
import type { Log } from '../../common/log.ts';
import { type ErrorCode, EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { differingOf, inWords } from './differing.ts';
import type { Eyes } from './hands.ts';
import { type Line, parseLine } from './lines.ts';
import type { Entry, Made } from './made.ts';
import { refuseLed } from './places.ts';
import { type Hands, THERE, type Thing } from './thing.ts';
import type { Turns } from './turns.ts';

export interface Tools {
  made: Made;
  turns: Turns;
  hands: Hands;
  eyes: Eyes;
  log: Log;
}

/** What did not succeed and ends nothing. */
interface Failures {
  waiting: unknown[];
  /** By the text of the line. */
  alone: Map<string, string>;
  left: unknown[];
}

/** @throws EvenkeelError as Kernel.apply does */
export async function applyLines(unit: string, lines: readonly Line[], tools: Tools): Promise<void> {
  const failures: Failures = { waiting: [], alone: new Map(), left: [] };
  await announce(tools, unit, lines);
  const isOfCustomer = ({ thing }: Line) => thing.concerns === 'customer';
  for (const batch of batchesOf(lines.filter((line) => !isOfCustomer(line)))) {
    const claimed = await claim(tools, unit, batch, failures);
    for (const line of claimed) await make(tools, line, failures);
  }
  await undoGone(tools, unit, lines, failures);
  await makeForCustomers(tools, unit, lines.filter(isOfCustomer), failures);
  tools.eyes.forget();
  await judge(lines, failures, tools.eyes);
}

const kindOf = ({ text }: { text: string }): string => text.split(' ')[0] ?? text;

/** Lines of one kind that follow each other are written down at once: none of them makes what was there before another. */
function batchesOf(lines: readonly Line[]): Line[][] {
  const batches: Line[][] = [];
  for (const line of lines) {
    const last = batches.at(-1);
    if (last?.[0] !== undefined && kindOf(last[0]) === kindOf(line)) last.push(line);
    else batches.push([line]);
  }
  return batches;
}

/** Says what the unit asks for, and what it is refused is not kept for it. @throws where another unit asks for another thing */
async function announce(tools: Tools, unit: string, lines: readonly Line[]): Promise<void> {
  const { made, turns } = tools;
  turns.say(
    unit,
    lines.map(({ thing }) => thing.id),
  );
  if (lines.some((line) => rivalOf(tools, unit, line) !== null)) await turns.others(unit);
  try {
    for (const line of lines) refuseRival(tools, unit, line);
  } catch (err) {
    turns.say(
      unit,
      made.of(unit).map(({ id }) => id),
    );
    throw err;
  }
}

/** Another unit that asks for another thing in the same place; one that gives it up is none. */
function rivalOf({ made, turns }: Tools, unit: string, { text, thing }: Line): string | null {
  const before = made.get(thing.id);
  if (before === undefined || before.text === text || before.units.includes(unit)) return null;
  const rival = before.units.find((one) => turns.asks(one, thing.id) !== false);
  return rival === undefined ? null : `unit ${rival} asks for ${before.text}`;
}

/**
 * Two units that ask for two things in one place would put each other right for ever. One that shares the line may change
 * it: what is declared has changed for both, and the first to see it goes ahead.
 */
function refuseRival(tools: Tools, unit: string, line: Line): void {
  const rival = rivalOf(tools, unit, line);
  if (rival !== null) throw new EvenkeelError('kernel-refused', `${line.text}: ${rival}`);
}

/**
 * Written down before it is made, with what was there before the first time.
 * @param known of another line about the same place
 * @returns those that may be made
 */
function claim(
  tools: Tools,
  unit: string,
  lines: readonly Line[],
  failures: Failures,
  known: (line: Line) => string | null | undefined = () => undefined,
): Promise<Line[]> {
  return tools.turns.one(() => claimNow(tools, unit, lines, failures, known));
}

async function claimNow(
  tools: Tools,
  unit: string,
  lines: readonly Line[],
  failures: Failures,
  known: (line: Line) => string | null | undefined,
): Promise<Line[]> {
  const { made, eyes } = tools;
  // Another unit may have undone what was seen before.
  eyes.forget();
  const put: Entry[] = [];
  const claimed: Line[] = [];
  const entryOf = async (line: Line): Promise<void> => {
    const { text, thing } = line;
    refuseRival(tools, unit, line);
    const before = made.get(thing.id);
    // What was there before us, and is there no more, is ours from now on.
    const isLost = before?.former === THERE && (await thing.found(eyes)) === '';
    if (before?.text === text && before.units.includes(unit) && !isLost) return;
    // Who shared a line that is another now joins it anew, or is refused.
    const others = before?.text === text ? before.units : [];
    const units = [...new Set([...others, unit])];
    const first = async () => known(line) ?? (await thing.former(eyes));
    const former = before === undefined ? await first() : before.former;
    const isRenewed = before !== undefined && before.text !== text && thing.renews?.(before.text);
    const owed = isRenewed || before?.owed ? { owed: true as const } : {};
    put.push({ id: thing.id, text, former: isLost ? null : former, ...owed, units });
  };
  for (const line of lines)
    await attempt(line, () => entryOf(line)).then(
      () => claimed.push(line),
      (err: unknown) => note(line, err, failures),
    );
  await made.change({ put });
  return claimed;
}

async function make({ made, turns, hands, eyes }: Tools, line: Line, failures: Failures): Promise<void> {
  const { thing } = line;
  const work = async () => {
    const isOwed = made.get(thing.id)?.owed === true;
    if (!isOwed && (await thing.found(eyes)) === null) return;
    await refuseElsewhere(thing, eyes);
    await thing.make(hands, eyes, isOwed).finally(eyes.forget);
    if (isOwed) await turns.one(() => settle(made, thing.id));
  };
  await attempt(line, work).catch((err: unknown) => note(line, err, failures));
}

async function settle(made: Made, id: string): Promise<void> {
  const before = made.get(id);
  if (before === undefined) return;
  const { owed: _, ...entry } = before;
  await made.change({ put: [entry] });
}

/** @throws where the paths of root's list would lead it elsewhere */
async function refuseElsewhere({ needs, walks }: Thing, eyes: Eyes): Promise<void> {
  const paths = needs.flatMap(({ list, value }) => (list === 'folders' ? [value] : []));
  for (const path of walks ?? paths) await refuseLed(path, eyes);
}

/** @throws the error when it ends the others too */
function note({ text, thing }: Line, err: unknown, { waiting, alone }: Failures): void {
  // What others ask for does not wait for it.
  if (thing.waits) waiting.push(err);
  else if (thing.concerns) alone.set(text, withLine(text, messageOf(err)));
  else throw err;
}

const withLine = (text: string, words: string) => (words.startsWith(text) ? words : `${text}: ${words}`);

/** After all who may ask for it as well have said so: nothing is gone for a moment that only changes hands. */
async function undoGone(
  tools: Tools,
  unit: string,
  lines: readonly Line[],
  failures: Failures,
): Promise<void> {
  const { made, turns } = tools;
  const wanted = new Set(lines.map(({ thing }) => thing.id));
  const unwanted = () => made.of(unit).filter(({ id }) => !wanted.has(id));
  const isLast = ({ id, units }: Entry) => units.length === 1 && turns.askers(id).length === 0;
  if (unwanted().some(isLast)) await turns.others(unit);
  const shared = new Set(lines.flatMap(({ thing }) => thing.shares ?? []));
  await turns.one(() => undoNow(tools, unit, unwanted().reverse(), shared, failures));
}

/** What was undone already when the power went is undone once more, which does nothing. */
async function undoNow(
  { made, turns, hands, eyes, log }: Tools,
  unit: string,
  unwanted: readonly Entry[],
  shared: ReadonlySet<string>,
  { left }: Failures,
): Promise<void> {
  const put: Entry[] = [];
  const gone: string[] = [];
  const kept = new Set<string>();
  const undo = async ({ id, text, former }: Entry) => {
    const line = readBack(text);
    if (line === null) log.warn({ line: text }, 'a line of an earlier version is not undone');
    else
      try {
        await attempt(line, () => line.thing.undo(hands, eyes, former, shared)).finally(eyes.forget);
      } catch (err) {
        for (const kind of line.thing.relies ?? []) kept.add(kind);
        left.push(err);
        return;
      }
    if (line?.thing.concerns === 'customer') eyes.forgetSlow();
    gone.push(id);
  };
  eyes.forget();
  for (const entry of unwanted) {
    const units = [...new Set([...entry.units, ...turns.askers(entry.id)])].filter((one) => one !== unit);
    if (units.length > 0) put.push({ ...entry, units });
    else if (!kept.has(kindOf(entry))) await undo(entry);
  }
  await made.change({ put, gone });
}

/** After what was undone, which may have been about the same customer. One look for all: each reads a list of all customers. */
async function makeForCustomers(
  tools: Tools,
  unit: string,
  lines: readonly Line[],
  failures: Failures,
): Promise<void> {
  const { made, hands, eyes } = tools;
  const former = new Map<Line, string | null | undefined>();
  const agreed: Line[] = [];
  for (const group of groupsOf(lines, eyes)) {
    const known = group.map(({ thing }) => made.get(thing.id)?.former).find((one) => one !== undefined);
    for (const line of group) {
      const rival = group.find(({ thing }) => thing.wants !== line.thing.wants);
      former.set(line, known);
      if (rival === undefined) agreed.push(line);
      else
        failures.alone.set(
          line.text,
          `${line.text}: ${rival.text} is about the same file system; take one away`,
        );
    }
  }
  const claimed = await claim(tools, unit, agreed, failures, (line) => former.get(line));
  let isChanged = false;
  for (const line of claimed)
    await attempt(line, async () => {
      if ((await line.thing.found(eyes)) === null) return;
      await refuseElsewhere(line.thing, eyes);
      await line.thing.make(hands, eyes);
      isChanged = true;
    }).catch((err: unknown) => note(line, err, failures));
  if (isChanged) eyes.forgetSlow();
}

function groupsOf(lines: readonly Line[], eyes: Eyes): Iterable<Line[]> {
  const groups = new Map<string, Line[]>();
  for (const line of lines) {
    const place = line.thing.place?.(eyes) ?? line.thing.id;
    groups.set(place, [...(groups.get(place) ?? []), line]);
  }
  return groups.values();
}

/** Reads all of it back. @throws for the worst of what is not so */
async function judge(lines: readonly Line[], { waiting, alone, left }: Failures, eyes: Eyes): Promise<void> {
  const refuse = (code: ErrorCode, words: readonly string[]) => {
    if (words.length > 0) throw new EvenkeelError(code, words.join('\n'));
  };
  refuse('mount-failed', waiting.map(messageOf));
  const wrong = await differingOf(lines, eyes);
  const isAlone = new Set(lines.flatMap(({ text, thing }) => (thing.concerns ? [text] : [])));
  refuse('kernel-refused', wrong.filter(({ line }) => !isAlone.has(line)).map(inWords));
  refuse('line-failed', [
    ...wrong.map((one) => alone.get(one.line) ?? inWords(one)),
    ...(wrong.length > 0 ? left.map(messageOf) : []),
  ]);
  refuse('undo-failed', left.map(messageOf));
}

async function attempt({ text }: Line, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    if (err instanceof EvenkeelError && err.code === 'executable-refused') throw err;
    throw new EvenkeelError('kernel-refused', `${text}: ${messageOf(err)}`, { cause: err });
  }
}

function readBack(text: string): Line | null {
  try {
    return parseLine(text);
  } catch {
    return null; // written by a version that had another grammar
  }
}
