/** Points: what was kept in the slots of a ring, as the API shows it: by member, the directors together. Pure. */
import type { HistoryView } from '../../protocol/views.ts';
import { counted, perSecond, type Sample, sum } from './counters.ts';

type Series = HistoryView['series'][number];
type Point = Series['points'][number];

/** Oldest first; the service itself before its members. */
export function seriesOf<Row extends Sample & { member: string }>(
  rows: readonly Row[],
  at: (row: Row) => number,
): Series[] {
  const members = new Map<string, Map<number, Row[]>>();
  for (const row of rows) {
    const moments = members.get(row.member) ?? new Map<number, Row[]>();
    const moment = at(row);
    moments.set(moment, [...(moments.get(moment) ?? []), row]);
    members.set(row.member, moments);
  }
  return [...members]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([member, moments]) => ({
      member: member === '' ? null : member,
      points: [...moments].sort(([a], [b]) => a - b).map(([moment, each]) => pointOf(moment, each)),
    }));
}

/** What several directors carried is added up; each over the time in which it counted. */
function pointOf(moment: number, rows: readonly Sample[]): Point {
  const [first, ...others] = rows as readonly [Sample, ...Sample[]];
  const total = others.reduce(sum, first);
  const rates = rows.map((row) => perSecond(row, row.ms)).reduce(sum);
  const mean = rows.reduce((all, { active, readings }) => all + active / Math.max(1, readings), 0);
  return {
    at: new Date(moment).toISOString(),
    seconds: Math.max(...rows.map(({ ms }) => ms)) / 1000,
    active: Math.round(mean * 100) / 100,
    peak: rows.reduce((all, { peak }) => all + peak, 0),
    ...(Object.fromEntries(counted.map((name) => [name, total[name]])) as unknown as Pick<
      Point,
      (typeof counted)[number]
    >),
    rates,
  };
}
