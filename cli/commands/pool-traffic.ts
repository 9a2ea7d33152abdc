/** What pools carry, for people: the members now, and how it was. Pure. */
import { sizeText } from '../../common/units.ts';
import type { HistoryView, PoolView, TrafficView } from '../../protocol/views.ts';
import type { Cell } from '../table.ts';
import { clockTime } from '../time.ts';

type Table = { headers: string[]; rows: Cell[][] };
type Member = PoolView['members'][number];

/** The members of a pool with what they carry, the directors together. */
export function memberTable({ service, members }: PoolView, traffic: readonly TrafficView[]): Table {
  const ours = traffic.filter((row) => row.service === service);
  const of = (member: string | null) => ours.filter((row) => row.member === member);
  return {
    headers: ['MEMBER', 'HAS', 'WEIGHT', 'ACTIVE', 'CONN/S', 'IN/S', 'OUT/S'],
    rows: [
      ...members.map((member) => [member.node, ...standing(member), ...loadOf(of(member.node))]),
      ...(of(null).length === 0 ? [] : [['all', '', '', ...loadOf(of(null))]]),
    ],
  };
}

/** One member on one line, for who reads a pipe. */
export const memberLines = (pool: PoolView, traffic: readonly TrafficView[], at: string): string[] => {
  const { headers, rows } = memberTable(pool, traffic);
  const names = headers.slice(1).map((header) => header.toLowerCase());
  return rows.map(([member, ...cells]) => {
    const said = cells.map((cell, index) => [names[index], textOf(cell)]).filter(([, text]) => text !== '');
    return [at, pool.service, textOf(member), ...said.map((pair) => pair.join(' '))].join(' ');
  });
};

const textOf = (cell: Cell | undefined): string => (typeof cell === 'object' ? cell.text : (cell ?? ''));

/** What the balancers have of it; where they differ, all that they have. */
function standing({ actual }: Member): Cell[] {
  if (actual.length === 0) return ['-', '-'];
  const states = [...new Set(actual.map(({ state }) => state))].join('/');
  const weights = [...new Set(actual.map(({ weight }) => weight))].join('/');
  const tone = states === 'up' ? 'good' : /down|absent/.test(states) ? 'bad' : 'warn';
  return [{ text: states, tone }, weights];
}

function loadOf(rows: readonly TrafficView[]): Cell[] {
  if (rows.length === 0) return ['-', '-', '-', '-'];
  const sum = (value: (row: TrafficView) => number) => rows.reduce((all, row) => all + value(row), 0);
  return [
    String(sum(({ active }) => active)),
    perSecond(sum(({ rates }) => rates.connections)),
    sizeText(sum(({ rates }) => rates.bytesIn)),
    sizeText(sum(({ rates }) => rates.bytesOut)),
  ];
}

/** As many lines as fit on a page. */
const MOST_LINES = 30;

/** What a service carried, a line for each part of the time. */
export function historyTable({ series }: HistoryView): Table {
  const points = series[0]?.points ?? [];
  const each = Math.max(1, Math.ceil(points.length / MOST_LINES));
  const parts = Array.from({ length: Math.ceil(points.length / each) }, (_, part) =>
    points.slice(part * each, (part + 1) * each),
  );
  return {
    headers: ['FROM', 'CONN/S', 'IN/S', 'OUT/S', 'ACTIVE', 'PEAK'],
    rows: parts.map((part) => {
      const mean = (value: (point: (typeof part)[number]) => number) =>
        part.reduce((all, point) => all + value(point), 0) / part.length;
      return [
        clockTime(part[0]?.at ?? ''),
        perSecond(mean(({ rates }) => rates.connections)),
        sizeText(mean(({ rates }) => rates.bytesIn)),
        sizeText(mean(({ rates }) => rates.bytesOut)),
        mean(({ active }) => active).toFixed(1),
        String(Math.max(...part.map(({ peak }) => peak))),
      ];
    }),
  };
}

const perSecond = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
