/** Schedules: when each is due next, what it has begun, and its run now. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

type ScheduleRoutes = Pick<Handlers, 'schedules' | 'schedule' | 'scheduleRun'>;

export const scheduleRoutes = ({ schedules }: Pick<Given, 'schedules'>): ScheduleRoutes => ({
  schedules: async () => ({ items: await schedules.list() }),
  schedule: ({ params: { name }, query }) => schedules.one(name, query),
  scheduleRun: ({ params: { name }, caller }) => schedules.run(name, caller),
});
