/** How a schedule stands: from where it goes on, which moment is its next, and what is in the way of that. */
import type { Clock } from '../../common/clock.ts';
import { milliseconds } from '../../common/units.ts';
import type { Stored, View } from '../../common/view.ts';
import type { BodyOf } from '../../protocol/endpoints.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { ScheduleSpec } from '../../protocol/resources/schedule.ts';
import type { ScheduleView } from '../../protocol/schedules-api.ts';
import { calendarOf } from '../desired/calendar.ts';
import type { QueuePage, QueueRows } from '../store/queue.ts';
import type { Dealt, ScheduleRows } from '../store/schedules.ts';
import { admitted } from './doors.ts';
import type { Queue } from './queue.ts';
import { runView } from './views.ts';

export interface StandingOptions {
  store: { schedules: ScheduleRows; queue: Pick<QueueRows, 'runs' | 'counts' | 'rolling'>; view(): View };
  queue: Pick<Queue, 'line'>;
  /** Whether the manager is held: then nothing is begun, and nothing is written. */
  held: () => boolean;
  clock: Clock;
}

export type Schedule = Stored<'Schedule'>;

/** A manager that is back within this time begins what was due meanwhile: an upgrade of it costs no night. */
export const LATE_MS = 10 * 60_000;

export const actorOf = (name: string): string => `schedule:${name}`;
export const planOf = ({ cron, timeZone, suspended }: ScheduleSpec): string =>
  suspended ? 'suspended' : `${cron} ${timeZone}`;

/** A small step repeats no moment. Who waited for a larger one to pass would begin nothing for hours. */
const isSetBack = ({ upto }: Dealt, now: number) => Date.parse(upto) > now + LATE_MS;
/** Another line begins with this moment, and so does a clock that was wrong. */
export const isNew = (spec: ScheduleSpec, dealt: Dealt, now: number): boolean =>
  dealt.plan !== planOf(spec) || isSetBack(dealt, now);

/** What is said of a run of before that is not over; undefined where the next may begin. */
export async function overlapOf(
  { name, spec }: Pick<Schedule, 'name' | 'spec'>,
  { queue, store }: StandingOptions,
): Promise<string | undefined> {
  if (spec.overlap === 'queue') return undefined;
  for (const node of store.view().Node.keys()) {
    const open = queue.line(node).find(({ by }) => by === actorOf(name));
    if (open)
      return `its run ${open.run} is not over on ${node} (${open.state}), and no other is begun until it is: evenkeel runs ${open.run}`;
  }
  const [last] = await store.queue.runs({ actor: actorOf(name), limit: 1 });
  if (!last?.options.rolling || !(await store.queue.rolling()).includes(last.id)) return undefined;
  return `its run ${last.id} has not done with every node, and no other is begun until it has: evenkeel runs ${last.id}`;
}

/** Why its next run would not begin now; empty where it would. */
async function blockedOf(schedule: Schedule, options: StandingOptions): Promise<string> {
  if (options.held()) return 'the manager is held, and nothing is begun until an operator resumes';
  return (await overlapOf(schedule, options)) ?? refusedOf(schedule, options);
}

export function bodyOf({ action, parameters, on, ...spec }: ScheduleSpec, due: number): BodyOf<'runStart'> {
  const { jitter, expires, rolling } = spec;
  return {
    ...{ action, parameters, on, jitter: jitter === undefined ? 0 : milliseconds(jitter) },
    ...(expires && { expires: new Date(due + milliseconds(expires)).toISOString() }),
    ...(rolling && { rolling }),
  };
}

function refusedOf({ spec }: Schedule, { queue, store, clock }: StandingOptions): string {
  const view = store.view();
  const action = view.Action.get(spec.action);
  if (!action) return `there is no action ${spec.action}`;
  try {
    const { parameters, on, ...options } = bodyOf(spec, clock.now());
    admitted(action.spec, { parameters, on, options }, { view, queue });
    return '';
  } catch (err) {
    if (err instanceof EvenkeelError) return err.message;
    throw err;
  }
}

export async function runsOf(name: string, page: QueuePage, { store }: StandingOptions) {
  const found = await store.queue.runs({ ...page, actor: actorOf(name) });
  const counts = await store.queue.counts(found.map(({ id }) => id));
  return {
    runs: found.map((run) => runView(run, counts.get(run.id) ?? {})),
    next: found.length < page.limit ? null : (found.at(-1)?.seq ?? null),
  };
}

export async function viewOf(schedule: Schedule, options: StandingOptions): Promise<ScheduleView> {
  const { name, spec } = schedule;
  const { description, action, on, cron, timeZone, overlap, suspended } = spec;
  const [last] = (await runsOf(name, { limit: 1 }, options)).runs;
  const next = await nextOf(schedule, options);
  return {
    ...{ name, description, action, on, cron, timeZone, overlap, suspended },
    next: next === null ? null : new Date(next).toISOString(),
    blocked: await blockedOf(schedule, options),
    last: last ?? null,
  };
}

/** The one that is kept: what is dealt with already is not begun again. */
async function nextOf({ name, spec }: Schedule, { store, clock }: StandingOptions): Promise<number | null> {
  if (spec.suspended) return null;
  const now = clock.now();
  const kept = await store.schedules.get(name);
  const upto = kept === undefined || isNew(spec, kept, now) ? now : Date.parse(kept.upto);
  return calendarOf(spec.cron, spec.timeZone).next(Math.max(now, upto));
}
