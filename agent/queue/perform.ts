/** One try carried out: what is declared, on the box's own list, checked again here; its end is told whatever happens. */
import { type ActionValues, valuesOf } from '../../common/actions/values.ts';
import { argumentsOf, secretsOf } from '../../common/actions/words.ts';
import { type Clock, moment } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { milliseconds } from '../../common/units.ts';
import { type ErrorCode, EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Try, TryResult } from '../../protocol/queue.ts';
import type { ActionSpec, DeedName } from '../../protocol/resources/action.ts';
import { type GroupEnd, MARK, runGroup } from './group.ts';
import { type Begun, type Leader, nameOf } from './ledger.ts';
import { createOutput } from './output.ts';

type Command = readonly [path: string, ...args: string[]];

/**
 * What the agent does itself, and what there is to say of it. Told to stop it ends with the reason of the signal when it
 * can leave off, and else when it is done.
 * @throws what is wrong with it
 */
export type Deed = (values: ActionValues, signal: AbortSignal, say: (text: string) => void) => Promise<void>;

export interface PerformOptions {
  /** Root's word: whether this box carries out actions at all. */
  allowed: boolean;
  /** As this box has it. */
  action: (name: string) => { digest: string; spec: ActionSpec } | undefined;
  roles: () => readonly string[];
  /** By the box's own list. @throws EvenkeelError executable-refused */
  resolve: (command: readonly string[]) => [path: string, ...args: string[]];
  deeds: Record<Exclude<DeedName, 'reboot'>, Deed>;
  clock: Clock;
}

export interface Hooks {
  /** Just before the first process or deed. When it throws, nothing begins. */
  begin(what: Pick<Begun, 'idempotent' | 'reboots'>): Promise<void>;
  leads(leader: Leader): void;
  live(text: string, at: number): void;
  /** Ends it before its time. */
  signal: AbortSignal;
}

/** @throws what `begin` throws, and nothing else */
export type Perform = (wanted: Try, hooks: Hooks) => Promise<TryResult>;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const REBOOT = ['systemctl', 'reboot'];
/** The reason of the signal when it is the agent itself that stops. */
export const STOPPING = new Error('the agent stops');
/** A deed that is told to stop may be at what it has to see through: so long it is waited for. */
const LINGER_MS = 60_000;
/** And so long by an agent that stops: within the time that its parts have for that. */
const LEAVE_MS = 5_000;
/** Of what a command said last, in its error. */
const LAST_LINE = 300;
const LONGEST_MESSAGE = 2000;
/** What was declared a moment before the command was made may come after it: so long it is waited for. */
const BEHIND_MS = 10_000;
const LOOK_MS = 200;

/** How something ended, before it is said of which try. */
type Ending = Pick<TryResult, 'end'> & Partial<TryResult>;

const failed = (code: ErrorCode, message: string, more: Partial<TryResult> = {}): Ending => ({
  ...more,
  end: 'failed',
  error: { code, message: message.slice(0, LONGEST_MESSAGE) },
});

export const createPerform =
  (options: PerformOptions): Perform =>
  async (wanted, hooks) => {
    const { clock } = options;
    const { run, number } = wanted;
    const from = moment(clock);
    const ended = (ending: Ending): TryResult => ({
      ...{ run, number, already: false, begun: false, status: null, error: null, output: '', omitted: 0 },
      ...{ from, to: moment(clock), ...ending },
    });
    if (options.allowed) await isHere(wanted, options, hooks.signal);
    let work: Work;
    try {
      work = workOf(wanted, options);
    } catch (err) {
      return ended(failed(err instanceof EvenkeelError ? err.code : 'internal', messageOf(err)));
    }
    if (hooks.signal.aborted) return ended({ end: 'cancelled' });
    const { idempotent } = work.spec;
    await hooks.begin({ idempotent, reboots: work.spec.do === 'reboot' });
    try {
      return ended({ begun: true, ...(await carryOut(work, options, hooks)) });
    } catch (err) {
      return ended(
        failed(err instanceof EvenkeelError ? err.code : 'internal', messageOf(err), { begun: true }),
      );
    }
  };

/** Until this box has the action as the command means it, or it is clear that it will not. */
async function isHere(
  { action: name, digest }: Try,
  { action, clock }: PerformOptions,
  signal: AbortSignal,
): Promise<void> {
  const until = clock.monotonic() + BEHIND_MS;
  while (action(name)?.digest !== digest && clock.monotonic() < until && !signal.aborted)
    await clock.sleep(LOOK_MS);
}

interface Work {
  /** Of the try. */
  name: string;
  spec: ActionSpec;
  values: ActionValues;
  unless: Command | undefined;
  run: Command | undefined;
}

/** @throws EvenkeelError action-refused, action-unknown, invalid-document or executable-refused */
function workOf(wanted: Try, options: PerformOptions): Work {
  const { action: name, digest, values: given } = wanted;
  const { allowed, action, roles, resolve } = options;
  if (!allowed)
    throw new EvenkeelError('action-refused', 'root of this box refuses actions (`actions` in agent.json)');
  const known = action(name);
  if (known?.digest !== digest)
    throw new EvenkeelError(
      'action-unknown',
      known
        ? `this node has another version of ${name}; it may be behind, or the command was made for an older one`
        : `this node has no action ${name}; it may be behind, or the action is for other roles`,
    );
  const { spec } = known;
  if (spec.roles.length > 0 && !spec.roles.some((role) => roles().includes(role)))
    throw new EvenkeelError('action-refused', `${name} is for nodes with a role of ${spec.roles.join(', ')}`);
  const valued = valuesOf(spec.parameters, given, 'values');
  if (!valued.ok) {
    const said = valued.problems.map(({ path, message }) => `${path} ${message}`).join('; ');
    throw new EvenkeelError('invalid-document', `${name}: ${said}`, { problems: valued.problems });
  }
  const { values } = valued;
  const words = spec.do === 'reboot' ? REBOOT : spec.run;
  const unless = spec.unless && resolve(argumentsOf(spec.unless, values));
  return { name: nameOf(wanted), spec, values, unless, run: words && resolve(argumentsOf(words, values)) };
}

async function carryOut(work: Work, options: PerformOptions, hooks: Hooks): Promise<Ending> {
  const { clock, deeds } = options;
  const { spec, unless, run } = work;
  if (hooks.signal.aborted) return { end: 'cancelled', begun: false };
  const until = clock.monotonic() + milliseconds(spec.timeout);
  const left = () => Math.max(0, until - clock.monotonic());
  if (unless) {
    // Nobody watches a question.
    const asked = await runCommand(unless, left(), work, options, { ...hooks, live: () => undefined });
    if (asked.end === 'succeeded') return { ...asked, already: true };
    if (asked.end === 'cancelled' || asked.error?.code !== 'command-failed') return asked;
  }
  const deed = spec.do;
  if (deed === undefined || deed === 'reboot') {
    const end = run
      ? await runCommand(run, left(), work, options, hooks)
      : failed('internal', 'nothing to run');
    return deed === 'reboot' && end.end === 'succeeded' ? goDown(end, left(), clock, hooks.signal) : end;
  }
  return doDeed(deeds[deed], left(), work, options, hooks);
}

/** The box goes down with us: what comes back knows by its boot that it did. Whoever is here still when time is over, knows that it did not. */
async function goDown(end: Ending, ms: number, clock: Clock, signal: AbortSignal): Promise<Ending> {
  const stopped = await clock.sleep(ms, signal).then(
    () => false,
    () => true,
  );
  if (stopped) return { ...end, end: 'cancelled' };
  return failed('command-timeout', 'the box was told to reboot, and did not go down', end);
}

async function doDeed(
  deed: Deed,
  timeout: number,
  work: Work,
  { clock }: PerformOptions,
  { signal, live }: Hooks,
): Promise<Ending> {
  const output = createOutput({ secrets: secretsIn(work), live, clock });
  const done = (both: AbortSignal) => deed(work.values, both, (text) => output.hear('deed', text));
  const ending = await seenThrough(done, { timeout, of: work.spec.timeout, clock, signal });
  return { ...ending, ...output.end() };
}

interface Limits {
  timeout: number;
  /** The time that it had, as it is declared. */
  of: string;
  clock: Clock;
  signal: AbortSignal;
}

/** Ends when the deed has ended, however it was told to stop: nothing goes on beside the next command. */
async function seenThrough(
  done: (signal: AbortSignal) => Promise<void>,
  { timeout, of, clock, signal }: Limits,
): Promise<Ending> {
  const late = new AbortController();
  const undo = clock.after(timeout, () => late.abort(new Error('its time is over')));
  const stop = AbortSignal.any([signal, late.signal]);
  const ending = done(stop).then(
    (): Ending => ({ end: 'succeeded' }),
    (err: unknown): Ending => {
      if (!stop.aborted || err !== stop.reason)
        return failed(err instanceof EvenkeelError ? err.code : 'internal', messageOf(err));
      return signal.aborted
        ? { end: 'cancelled' }
        : failed('command-timeout', `it was not done within ${of} and was stopped`);
    },
  );
  const told = new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  await Promise.race([ending, told]);
  undo();
  const lingered = await within(Promise.race([ending, isLeft(signal)]), LINGER_MS, clock).catch(() =>
    failed('command-timeout', `it was told to stop, has not ended in ${LINGER_MS} ms, and may go on still`),
  );
  if (lingered !== null) return lingered;
  return within(ending, LEAVE_MS, clock).catch((): Ending => ({ end: 'cancelled' }));
}

/** Null as soon as the agent itself stops. */
const isLeft = (signal: AbortSignal): Promise<null> =>
  new Promise((resolve) => {
    const look = () => {
      if (signal.reason === STOPPING) resolve(null);
    };
    look();
    signal.addEventListener('abort', look, { once: true });
  });

const secretsIn = ({ spec, values }: Work): string[] =>
  secretsOf(spec).map((name) => String(values[name] ?? ''));

async function runCommand(
  command: Command,
  timeout: number,
  work: Work,
  { clock }: PerformOptions,
  { signal, leads, live }: Hooks,
): Promise<Ending> {
  const { spec, values } = work;
  const output = createOutput({ secrets: secretsIn(work), live, clock });
  const end = await runGroup({
    ...{ command, timeout, signal, leads, clock, heard: output.hear },
    // What it is found by is not the action's to say.
    environment: { LANG: 'C.UTF-8', ...spec.environment, PATH, [MARK]: work.name },
    input: spec.input === undefined ? undefined : argumentsOf([spec.input], values).join('\n'),
  });
  return endingOf(command, spec.timeout, end, output.end());
}

function endingOf(
  [path]: Command,
  timeout: string,
  end: GroupEnd,
  said: Pick<TryResult, 'output' | 'omitted'>,
): Ending {
  const remains = end.left.length === 0 ? '' : `; even SIGKILL has not ended ${end.left.join(', ')}`;
  if (end.how === 'missing') return failed('command-missing', `${path}: ${end.message}`, said);
  if (end.how === 'stopped') return { ...said, end: 'cancelled' };
  if (end.how === 'timeout')
    return failed('command-timeout', `${path} did not end within ${timeout} and was ended${remains}`, said);
  const { status } = end;
  if (status === 0 && remains === '') return { ...said, end: 'succeeded', status };
  const how = status === null ? `was ended by ${end.signal}` : `ended with ${status}`;
  return failed('command-failed', `${path} ${how}${remains}${lastLine(said.output)}`, { ...said, status });
}

function lastLine(output: string): string {
  const line = output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line === '' ? '' : `: ${line.slice(0, LAST_LINE)}`;
}
