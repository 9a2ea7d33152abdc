/** The kernel of the box: what the lines of a unit ask of it is looked at, made so, and undone when nobody asks any more. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Run } from '../drivers/run.ts';
import { createEyes, createHands, type Eyes } from './hands.ts';
import { type Line, parseLine, parseLines } from './lines.ts';
import { type Entry, type Made, openMade } from './made.ts';
import type { ListName } from './thing.ts';

/** A line that is not so. */
export interface Difference {
  line: string;
  /** What is there instead; nothing when there is nothing of the kind. */
  found: string;
}

export interface Kernel {
  /** Touches nothing. @throws EvenkeelError executable-refused for what this box does not allow */
  check(lines: readonly Line[]): void;
  differing(lines: readonly Line[]): Promise<Difference[]>;
  /** The same for the lines of a file, as a check tells it to people. */
  differingIn(file: string): Promise<string[]>;
  /**
   * Makes so what a unit asks for, undoes what it asked for before and does not any more, and reads all of it back.
   * @throws EvenkeelError kernel-refused with the lines that the kernel does not hold, mount-failed when all of them
   * wait for other boxes, or undo-failed when only what nobody asks for any more is still there
   */
  apply(unit: string, lines: readonly Line[]): Promise<void>;
}

/** Root's word on what lines may name, each with `*` for anything. */
export type Allowed = Readonly<Record<ListName, readonly string[]>>;

export interface KernelOptions {
  /** Where what was made is kept. */
  folder: string;
  allowed: Allowed;
  run: Run;
  clock: Clock;
  log: Log;
  isRoot?: boolean;
}

export function createKernel({
  folder,
  allowed,
  run,
  clock,
  log,
  isRoot = process.getuid?.() === 0,
}: KernelOptions): Kernel {
  const hands = createHands({ run, clock, log });
  let opened: Promise<Made> | undefined;
  const opening = () => {
    opened ??= openMade(folder);
    return opened;
  };
  const undo = async (made: Made, unit: string, entry: Entry, eyes: Eyes) => {
    const units = entry.units.filter((one) => one !== unit);
    if (units.length > 0) return made.put({ ...entry, units });
    const line = readBack(entry.text);
    if (line === null) log.warn({ line: entry.text }, 'a line of an earlier version is not undone');
    else await attempt(line, () => line.thing.undo(hands, eyes, entry.former));
    eyes.forget();
    await made.delete(entry.id);
  };
  return {
    check: (lines) => {
      if (lines.length === 0) return;
      if (!isRoot)
        throw new EvenkeelError(
          'executable-refused',
          'only root may change the kernel of this box: run the agent as root, or take the role from the node',
        );
      for (const line of lines) refuseForbidden(line, allowed);
    },
    differing: (lines) => differingOf(lines, createEyes(run)),
    differingIn: async (file) => {
      const { lines, problems } = parseLines(await readFile(file, 'utf8'));
      const found = await differingOf(lines, createEyes(run));
      return [...problems, ...found.map(inWords)];
    },
    apply: async (unit, lines) => {
      const made = await opening();
      const eyes = createEyes(run);
      for (const line of lines) refuseRival(made, unit, line);
      const waiting: unknown[] = [];
      for (const line of lines) {
        await claim(made, unit, line, eyes);
        if ((await line.thing.found(eyes)) === null) continue;
        await attempt(line, () => line.thing.make(hands, eyes)).catch((err: unknown) => {
          // What others ask for does not wait for it.
          if (!line.thing.waits) throw err;
          waiting.push(err);
        });
        eyes.forget();
      }
      const wanted = new Set(lines.map(({ thing }) => thing.id));
      const gone = made.of(unit).filter(({ id }) => !wanted.has(id));
      const left: unknown[] = [];
      for (const entry of gone.reverse())
        await undo(made, unit, entry, eyes).catch((err: unknown) => left.push(err));
      eyes.forget();
      if (waiting.length > 0) throw new EvenkeelError('mount-failed', waiting.map(messageOf).join('\n'));
      const wrong = await differingOf(lines, eyes);
      if (wrong.length > 0) throw new EvenkeelError('kernel-refused', wrong.map(inWords).join('\n'));
      if (left.length > 0) throw new EvenkeelError('undo-failed', left.map(messageOf).join('\n'));
    },
  };
}

async function differingOf(lines: readonly Line[], eyes: Eyes): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const { text, thing } of lines) {
    const found = await thing.found(eyes);
    if (found !== null) differences.push({ line: text, found });
  }
  return differences;
}

const inWords = ({ line, found }: Difference): string =>
  `${line}: ${found === '' ? 'is not there' : `there is ${found}`}`;

/** Written down before it is made, with what was there before the first time. */
async function claim(made: Made, unit: string, { text, thing }: Line, eyes: Eyes): Promise<void> {
  const before = made.get(thing.id);
  const units = [...new Set([...(before?.units ?? []), unit])];
  if (before?.text === text && before.units.includes(unit)) return;
  const former = before === undefined ? await thing.former(eyes) : before.former;
  await made.put({ id: thing.id, text, former, units });
}

/** Two units that ask for two things in one place would put each other right for ever. */
function refuseRival(made: Made, unit: string, { text, thing }: Line): void {
  const before = made.get(thing.id);
  const rival = before?.units.find((one) => one !== unit);
  if (before === undefined || rival === undefined || before.text === text) return;
  throw new EvenkeelError('kernel-refused', `${text}: unit ${rival} asks for ${before.text}`);
}

async function attempt({ text }: Line, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (cause instanceof EvenkeelError && cause.code === 'executable-refused') throw cause;
    throw new EvenkeelError('kernel-refused', `${text}: ${messageOf(cause)}`, { cause });
  }
}

function refuseForbidden({ text, thing }: Line, allowed: Allowed): void {
  const stranger = thing.needs.find(({ list, value }) => !allowed[list].some((glob) => fits(glob, value)));
  if (stranger)
    throw new EvenkeelError(
      'executable-refused',
      `${text}: ${stranger.value} is not among what this box allows (kernel.${stranger.list} in agent.json)`,
    );
}

/** `*` stands for anything. */
function fits(glob: string, value: string): boolean {
  const parts = glob.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(value);
}

function readBack(text: string): Line | null {
  try {
    return parseLine(text);
  } catch {
    return null; // written by a version that had another grammar
  }
}
