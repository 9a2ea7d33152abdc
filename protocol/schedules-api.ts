/** What is asked of schedules over HTTP. A part of the table in endpoints.ts. */
import { type Static, Type } from 'typebox';
import { RunView } from './queue-api.ts';
import { ScheduleSpec } from './resources/schedule.ts';
import { Moment, Name, Strict } from './values.ts';

const { description, action, on, cron, timeZone, overlap, suspended } = ScheduleSpec.properties;

export const ScheduleView = Strict({
  name: Name,
  ...{ description, action, on, cron, timeZone, overlap, suspended },
  next: Type.Union([Moment, Type.Null()], { description: 'Null while it is suspended' }),
  blocked: Type.String({
    description:
      'Why the next run would not begin now, such as one of before that is not over; empty where it would',
  }),
  last: Type.Union([RunView, Type.Null()], { description: 'The newest run that it has begun' }),
});
export type ScheduleView = Static<typeof ScheduleView>;

const OfSchedule = Strict({ name: Name });

export const schedulesApi = {
  schedules: {
    method: 'GET',
    path: '/api/v1/schedules',
    access: 'viewer',
    summary: 'Schedules with their next moment and their last run',
    answer: Strict({ items: Type.Array(ScheduleView) }),
  },
  schedule: {
    method: 'GET',
    path: '/api/v1/schedules/:name',
    access: 'viewer',
    summary: 'One schedule and the runs that it has begun, the newest first',
    params: OfSchedule,
    query: Strict({
      before: Type.Optional(Type.Integer({ minimum: 1, description: 'The `next` of the page before' })),
      limit: Type.Integer({ minimum: 1, maximum: 500, default: 50 }),
    }),
    answer: Strict({
      schedule: ScheduleView,
      runs: Type.Array(RunView),
      next: Type.Union([Type.Integer(), Type.Null()]),
    }),
  },
  scheduleRun: {
    method: 'POST',
    path: '/api/v1/schedules/:name/run',
    access: 'operator',
    summary: 'Begin its run now, as if it was due; also while it is suspended',
    params: OfSchedule,
    answer: RunView,
  },
} as const;
