/** Schedule: an action that is done by the calendar, as `evenkeel run` would have it done. */
import { type Static, Type } from 'typebox';
import { ActionValue, Rolling } from '../queue.ts';
import { ByName, Identifier, Name, OneOf, Strict, Wait } from '../values.ts';

export const ScheduleName = Name;

export const ScheduleSpec = Strict({
  description: Type.String({ maxLength: 500, default: '', description: 'For people' }),
  action: Type.Unsafe<string>({ ...Name, description: 'What is done' }),
  parameters: ByName(Identifier, ActionValue, {
    default: {},
    maxProperties: 32,
    description: 'Its parameters; none of them may be secret, for everybody is shown these',
  }),
  on: Type.String({
    minLength: 1,
    maxLength: 4096,
    description: 'Where: `all`, a role, or names with commas between; judged anew each time',
  }),
  cron: Type.String({
    pattern: '^(?:@[a-z]{5,8}|[0-9A-Za-z*/,#? -]+)$',
    maxLength: 200,
    description:
      'When: minute, hour, day of the month, month and day of the week, all of which must fit; or @daily and its like',
    'x-rule': 'A cron line',
    'x-fix': 'use five fields of digits, names of months and days, and * / , - # ?; such as 30 3 * * 0',
  }),
  timeZone: Type.String({
    pattern: '^[A-Za-z][A-Za-z0-9/_+-]*$',
    maxLength: 64,
    default: 'UTC',
    'x-rule': 'The name of a time zone',
    'x-fix': 'use a name such as UTC or Europe/Berlin',
    description: 'By whose clocks, such as Europe/Berlin',
  }),
  jitter: Type.Optional(
    Type.Unsafe<string>({
      ...Wait,
      description: 'The beginnings on the nodes are spread over this time, a day at most',
    }),
  ),
  expires: Type.Optional(
    Type.Unsafe<string>({
      ...Wait,
      description: 'What has not begun so long after the moment it was meant for never does',
    }),
  ),
  rolling: Type.Optional(Strict(Rolling.properties, { description: 'A few nodes at a time' })),
  overlap: OneOf(['skip', 'queue'], {
    default: 'skip',
    description: 'While a run of before is not over: leave out the next, or put it behind',
  }),
  suspended: Type.Boolean({ default: false, description: 'Nothing is begun until this is false again' }),
});
export type ScheduleSpec = Static<typeof ScheduleSpec>;
