/** The kernel of the box: what the lines of a unit ask of it is looked at, made so, and undone when nobody asks any more. */
import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Run } from '../drivers/run.ts';
import { applyLines } from './apply.ts';
import { type Difference, differingOf, inWords } from './differing.ts';
import { createEyes, createHands, type Slow, watchedBy } from './hands.ts';
import { type Line, parseLines } from './lines.ts';
import { type Made, openMade } from './made.ts';
import { sweepAside } from './mount.ts';
import type { ListName } from './thing.ts';
import { createTurns } from './turns.ts';

export interface Kernel {
  /** Touches nothing. @throws EvenkeelError executable-refused for what this box does not allow, kernel-refused for what it lacks */
  check(lines: readonly Line[]): void;
  differing(lines: readonly Line[]): Promise<Difference[]>;
  /**
   * The same for the lines of a unit's file, as a check tells it to people. What a pass of that unit is about to make so
   * is not missed yet: the pass is waited for, within half of the check's timeout.
   */
  differingIn(file: string, timeout: number): Promise<string[]>;
  /** Whether something that the unit asked for before, and not by these lines, is still there. */
  isOwing(unit: string, lines: readonly Line[]): Promise<boolean>;
  /** A pass of the unit is to come: what others give up, and it may ask for, is not undone before it has. */
  expect(unit: string): void;
  /** That pass sees all that was declared when it was expected. */
  begin(unit: string): void;
  /** It has ended. */
  over(unit: string): void;
  /**
   * Makes so what a unit asks for, undoes what it asked for before and does not any more, and reads all of it back.
   * @throws EvenkeelError kernel-refused with the lines that the kernel does not hold, mount-failed when all of them
   * wait for other boxes, line-failed when each of them concerns one customer or one storage alone, or undo-failed when
   * only what nobody asks for any more is still there
   */
  apply(unit: string, lines: readonly Line[]): Promise<void>;
}

/** Root's word on what lines may name, each with `*` for anything. */
export type Allowed = Readonly<Record<ListName, readonly string[]>>;

/** Sooner than anybody should wait to hear that a change does not get done. */
const FOLLOWED_MS = 3_000;

export interface KernelOptions {
  /** Of the agent's state: what was made is kept here, and the files of a unit lie in `units/<unit>` below. */
  folder: string;
  /** Where mounts lie that nobody is to see yet: root's alone, and gone with a reboot. */
  aside: string;
  allowed: Allowed;
  run: Run;
  clock: Clock;
  log: Log;
  /** What was made before is not known any more. */
  damaged?: (message: string) => void;
  isRoot?: boolean;
}

export function createKernel({
  folder,
  aside,
  allowed,
  run,
  clock,
  log,
  damaged = () => undefined,
  isRoot = process.getuid?.() === 0,
}: KernelOptions): Kernel {
  const hands = createHands({ aside, run, clock, log });
  let opened: Promise<Made> | undefined;
  const slow: Slow = new Map();
  const turns = createTurns(clock);
  const eyesNow = () => createEyes(run, clock, slow);
  const open = async () => {
    const eyes = eyesNow();
    await sweepAside(watchedBy(eyes, hands), eyes).catch((err: unknown) =>
      log.warn({ err: messageOf(err), folder: aside }, 'a mount of an earlier run was not taken away'),
    );
    return openMade(folder, (message) => {
      log.error({ err: message }, 'what was made in the kernel is not known any more');
      damaged(message);
    });
  };
  const opening = () => {
    opened ??= open();
    return opened;
  };
  const missingOf = async (file: string) => {
    const { lines, problems } = parseLines(await readFile(file, 'utf8'));
    const found = await differingOf(lines, eyesNow());
    return [...problems, ...found.map(inWords)];
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
      const eyes = eyesNow();
      for (const { text, thing } of lines) {
        const missing = thing.lacks?.(eyes) ?? null;
        if (missing !== null) throw new EvenkeelError('kernel-refused', `${text}: there is ${missing}`);
      }
    },
    differing: (lines) => differingOf(lines, eyesNow()),
    differingIn: async (file, timeout) => {
      const missing = await missingOf(file);
      if (missing.length === 0) return missing;
      const [unit = ''] = relative(join(folder, 'units'), file).split(sep);
      return (await turns.followed(unit, Math.min(FOLLOWED_MS, timeout / 2))) ? missingOf(file) : missing;
    },
    isOwing: async (unit, lines) => {
      const wanted = new Set(lines.map(({ thing }) => thing.id));
      return (await opening()).of(unit).some(({ id }) => !wanted.has(id));
    },
    expect: turns.expect,
    begin: turns.begin,
    over: turns.over,
    apply: async (unit, lines) => {
      const made = await opening();
      const eyes = eyesNow();
      await applyLines(unit, lines, { made, turns, hands: watchedBy(eyes, hands), eyes, log });
    },
  };
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
