/** How schedules look to people. */
import type { ScheduleView } from '../protocol/schedules-api.ts';
import { countsText } from './queue-look.ts';
import type { Session } from './session.ts';
import type { Cell } from './table.ts';
import { clockTime, relative } from './time.ts';

/** Below it, of each whose next run would not begin now, why. */
export const schedulesText = (schedules: readonly ScheduleView[], session: Session): string =>
  [schedulesTable(schedules, session), ...blockedLines(schedules)].join('\n');

const schedulesTable = (schedules: readonly ScheduleView[], session: Session): string =>
  session.table(
    ['NAME', 'ACTION', 'ON', 'WHEN', 'NEXT', 'LAST'],
    schedules.map((one) => [
      ...[one.name, one.action, one.on, `${one.cron} ${one.timeZone}`],
      nextCell(one),
      lastCell(one),
    ]),
  );

function nextCell({ suspended, next, blocked }: ScheduleView): Cell {
  if (suspended) return { text: 'suspended', tone: 'warn' };
  if (next === null) return 'never';
  const text = `${relative(next)}, ${clockTime(next)}`;
  return blocked === '' ? text : { text: `${text}: blocked`, tone: 'bad' };
}

function blockedLines(schedules: readonly ScheduleView[]): string[] {
  const lines = schedules
    .filter(({ suspended, blocked }) => !suspended && blocked !== '')
    .map(({ name, blocked }) => `${name} would not begin now: ${blocked}`);
  return lines.length === 0 ? [] : ['', ...lines];
}

function lastCell({ last }: ScheduleView): Cell {
  if (last === null) return 'never';
  const text = `${relative(last.at)}: ${countsText(last)}; run ${last.run}`;
  const { failed = 0, unknown = 0 } = last.counts;
  return failed + unknown > 0 ? { text, tone: 'bad' } : text;
}
