/** Schedules: begins the runs that the calendar asks for, each moment once at most, and says what it has not begun. */
import { moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { createLoop } from '../../common/loop.ts';
import type { AnswerOf, QueryOf } from '../../protocol/endpoints.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { RunView } from '../../protocol/queue-api.ts';
import type { ScheduleSpec } from '../../protocol/resources/schedule.ts';
import type { ScheduleView } from '../../protocol/schedules-api.ts';
import { type Calendar, calendarOf } from '../desired/calendar.ts';
import type { Dealt } from '../store/schedules.ts';
import type { Happening } from '../store/store.ts';
import { createInOrder } from './in-order.ts';
import type { Runs } from './runs.ts';
import {
  actorOf,
  bodyOf,
  isNew,
  LATE_MS,
  overlapOf,
  planOf,
  runsOf,
  type Schedule,
  type StandingOptions,
  viewOf,
} from './schedule-standing.ts';

export interface SchedulesOptions extends StandingOptions {
  runs: Pick<Runs, 'start'>;
  emit: (happening: Happening) => void;
  log: Log;
}

type Caller = Parameters<Runs['start']>[1];

export interface Schedules {
  /** Begins to look; returns its undo. */
  start(): () => Promise<void>;
  list(): Promise<ScheduleView[]>;
  /** @throws EvenkeelError not-found */
  one(name: string, page: QueryOf<'schedule'>): Promise<AnswerOf<'schedule'>>;
  /** Now. @throws EvenkeelError not-found, manager-held, not-possible where it would overlap, as the start of any run */
  run(name: string, caller: Caller): Promise<RunView>;
}

const LOOK_MS = 1_000;
/** More are not counted. */
const MOST_COUNTED = 100;
/** What a run is refused with for good; whatever else goes wrong is tried again. */
const REFUSALS = new Set(['not-found', 'bad-request', 'forbidden', 'queue-full']);

type Word = Pick<Happening, 'type' | 'severity' | 'message'>;

/** One that is looked after. */
interface Watched {
  dealt: Dealt;
  calendar: Calendar;
  /** Milliseconds; null: never. */
  next: number | null;
  /** Why it has not begun what was due; said once, and not at each moment. */
  told: string;
}

export function createSchedules(options: SchedulesOptions): Schedules {
  const { store, held, emit, clock, log } = options;
  const watched = new Map<string, Watched>();
  /** Why it was looked at last: what fails is tried again by the loop, and not at each look. */
  const rung = new Map<string, string>();
  /** Whether a run would overlap is asked once the one before has begun. */
  const begins = createInOrder();
  let heldAt = 0;

  const find = (name: string) => {
    const schedule = store.view().Schedule.get(name);
    if (schedule) return schedule;
    throw new EvenkeelError('not-found', `there is no schedule ${name}: evenkeel schedules`);
  };
  const isAnew = (spec: ScheduleSpec, dealt: Dealt) => isNew(spec, dealt, clock.now());
  const isDue = ({ next }: Watched) => next !== null && next <= clock.now();
  /** Goes on from what is kept, or begins with this moment. */
  const watch = async ({ name, spec }: Schedule) => {
    const calendar = calendarOf(spec.cron, spec.timeZone);
    const nextOf = ({ upto }: Dealt) => (spec.suspended ? null : calendar.next(Date.parse(upto)));
    const kept = await store.schedules.get(name);
    const goesOn = kept !== undefined && !isAnew(spec, kept);
    const dealt = goesOn ? kept : { name, plan: planOf(spec), upto: moment(clock) };
    if (!goesOn) await store.schedules.put(dealt);
    if (!goesOn && kept?.plan === dealt.plan && !spec.suspended) emit(setBackOf(kept, dealt));
    watched.set(name, { dealt, calendar, next: nextOf(dealt), told: '' });
  };
  const deal = async (schedule: Schedule, one: Watched) => {
    const { name } = schedule;
    const now = clock.now();
    const dealt = { ...one.dealt, upto: moment(clock) };
    const { due, missed } = dueOf(one, { now, since: Math.max(now - LATE_MS, heldAt) });
    const why =
      due === null ? undefined : await begins.of(name, () => begun(schedule, { due, dealt }, options));
    if (due === null || why) await store.schedules.put(dealt);
    if (missed !== null)
      emit({ type: 'schedule.missed', severity: 'warning', subject: name, message: `${name}: ${missed}` });
    if (why && why.message !== one.told) emit({ ...why, subject: name, message: `${name}: ${why.message}` });
    watched.set(name, { ...one, dealt, next: one.calendar.next(now), told: why?.message ?? '' });
  };
  const work = async (name: string) => {
    if (held()) return undefined;
    const schedule = store.view().Schedule.get(name);
    const one = watched.get(name);
    // Whatever fails on the way, the next look begins with what is kept: a moment is never begun twice.
    watched.delete(name);
    if (schedule === undefined) await store.schedules.forget(name);
    else if (one === undefined || isAnew(schedule.spec, one.dealt)) await watch(schedule);
    else if (isDue(one)) await deal(schedule, one);
    else watched.set(name, one);
    return undefined;
  };
  const loop = createLoop({ clock, log, work, backoff: { first: LOOK_MS, cap: 60_000 } });
  const ring = (name: string, why: string) => {
    if (rung.get(name) !== why) loop.put(name);
    rung.set(name, why);
  };
  const look = () => {
    if (held()) {
      heldAt = clock.now();
      // What was rung for was not heeded.
      rung.clear();
      return;
    }
    // By a clock that was ahead: what is due from now on would be taken for what was due then.
    heldAt = Math.min(heldAt, clock.now());
    for (const { name, spec } of store.view().Schedule.values()) {
      const one = watched.get(name);
      if (one === undefined || isAnew(spec, one.dealt)) ring(name, planOf(spec));
      else if (isDue(one)) ring(name, String(one.next));
      else rung.delete(name);
    }
    for (const name of watched.keys()) if (!store.view().Schedule.has(name)) ring(name, 'gone');
  };
  return {
    start: () => {
      const stop = clock.every(LOOK_MS, look);
      return async () => {
        stop();
        await loop.stop();
        await begins.idle();
      };
    },
    list: async () =>
      Promise.all(
        [...store.view().Schedule.values()]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((one) => viewOf(one, options)),
      ),
    one: async (name, page) => {
      const schedule = await viewOf(find(name), options);
      return { schedule, ...(await runsOf(name, page, options)) };
    },
    run: (name, caller) => begins.of(name, () => byHand(find(name), caller, options)),
  };
}

async function byHand(schedule: Schedule, caller: Caller, options: SchedulesOptions): Promise<RunView> {
  const { held, runs, emit, clock } = options;
  const { name, spec } = schedule;
  if (held()) throw new EvenkeelError('manager-held', 'nothing is begun until an operator resumes');
  const open = await overlapOf(schedule, options);
  if (open !== undefined) throw new EvenkeelError('not-possible', open);
  const run = await runs.start(bodyOf(spec, clock.now()), caller, { actor: actorOf(name) });
  const message = `${name}, asked for by ${caller.name}: run ${run.run}`;
  emit({ type: 'schedule.asked', severity: 'info', subject: name, message });
  return run;
}

const setBackOf = ({ name, upto }: Dealt, from: Dealt): Happening => ({
  ...{ type: 'schedule.reset', severity: 'warning', subject: name },
  message: `${name}: the clock was ahead, and up to ${upto} all was dealt with by it; it goes on from ${from.upto}, and what it has begun by that clock may be begun again`,
});

/**
 * What is to be begun of the moments that have passed: the last one, if it is after `since`. All others are missed.
 */
function dueOf(
  { calendar, dealt }: Watched,
  { now, since }: { now: number; since: number },
): { due: number | null; missed: string | null } {
  const upto = Date.parse(dealt.upto);
  const [due = null] = passed(calendar, { from: Math.max(upto, since), now }).slice(-1);
  const missed = passed(calendar, { from: upto, now: due === null ? now : due - 1 });
  const [first] = missed;
  if (first === undefined) return { due, missed: null };
  const [more, from] = [missed.length - 1, new Date(first).toISOString()];
  const others =
    more === 0 ? '' : `, and ${more} times${more + 1 < MOST_COUNTED ? '' : ' or more'} after that,`;
  return {
    due,
    missed: `what was due at ${from}${others} was not begun, and is not made up: the manager was away or held`,
  };
}

function passed(calendar: Calendar, { from, now }: { from: number; now: number }): number[] {
  const found: number[] = [];
  let at = calendar.next(from);
  while (at !== null && at <= now && found.length < MOST_COUNTED) {
    found.push(at);
    at = calendar.next(at);
  }
  return found;
}

/** @returns why it has not begun; undefined where it has */
async function begun(
  { name, spec }: Schedule,
  { due, dealt }: { due: number; dealt: Dealt },
  options: SchedulesOptions,
): Promise<Word | undefined> {
  const message = await overlapOf({ name, spec }, options);
  if (message !== undefined) return { type: 'schedule.skipped', severity: 'warning', message };
  try {
    // It was judged by who declared it; what it runs as is the manager's own word.
    const manager = { name: 'manager', role: 'admin' } as const;
    await options.runs.start(bodyOf(spec, due), manager, { actor: actorOf(name), dealt });
    return undefined;
  } catch (err) {
    if (!(err instanceof EvenkeelError && REFUSALS.has(err.code))) throw err;
    return { type: 'schedule.refused', severity: 'error', message: messageOf(err) };
  }
}
