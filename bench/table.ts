/** The table for people: every figure, its floor, the ratio, and the budget beside it. */
import { shown } from './figures.ts';
import type { Row } from './row.ts';

const heads = ['what', 'size', 'layout', 'figure', 'floor', 'ratio', 'budget', ''];

export function tableOf(rows: readonly Row[]): string {
  const lines = [heads, ...rows.map(cellsOf)];
  const widths = heads.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const text = lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  const notes = rows.flatMap(({ row, note }) => (note === '' ? [] : [`${row}: ${note}`]));
  return [...text, ...(notes.length > 0 ? ['', ...new Set(notes)] : [])]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A row on a line of its own, for whoever watches: what was measured is known even if the run breaks later. */
export const lineOf = (row: Row): string =>
  cellsOf(row)
    .filter((cell) => cell !== '')
    .join(' | ');

const cellsOf = (row: Row): string[] => [
  row.row,
  row.size === null ? '' : row.size.toLocaleString('en'),
  row.layout,
  `${shown(row.value)} ${row.unit}`,
  row.floor === null ? '' : `${shown(row.floor)} ${row.unit} (${row.floorName})`,
  row.ratio === null ? '' : `${shown(row.ratio)}x`,
  budgetOf(row),
  row.within === null ? '' : row.within ? 'ok' : 'OVER',
];

function budgetOf({ budget, budgetOf: of, better, unit }: Row): string {
  if (budget === null) return '';
  const word = better === 'lower' ? 'at most' : 'at least';
  return `${word} ${shown(budget)}${of === 'ratio' ? 'x' : ` ${unit}`}`;
}
