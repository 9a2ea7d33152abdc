/** How schedules look to people. */
import type { ScheduleView } from '../protocol/schedules-api.ts';
import { countsText } from './queue-look.ts';
import type { Session } from './session.ts';
import type { Cell } from './table.ts';
import { clockTime, relative } from './time.ts';

export const schedulesTable = (schedules: readonly ScheduleView[], session: Session): string =>
  session.table(
    ['NAME', 'ACTION', 'ON', 'WHEN', 'NEXT', 'LAST'],
    schedules.map((one) => [
      ...[one.name, one.action, one.on, `${one.cron} ${one.timeZone}`],
      nextCell(one),
      lastCell(one),
    ]),
  );

const nextCell = ({ suspended, next }: ScheduleView): Cell =>
  suspended
    ? { text: 'suspended', tone: 'warn' }
    : next === null
      ? 'never'
      : `${relative(next)}, ${clockTime(next)}`;

function lastCell({ last }: ScheduleView): Cell {
  if (last === null) return 'never';
  const text = `${relative(last.at)}: ${countsText(last)}; run ${last.run}`;
  const { failed = 0, unknown = 0 } = last.counts;
  return failed + unknown > 0 ? { text, tone: 'bad' } : text;
}
