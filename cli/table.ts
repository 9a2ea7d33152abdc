/** Tables for people: aligned columns, cut to the width of the terminal, plain text where it is no terminal. Pure. */
import type { Paint, Tone } from './paint.ts';

export type Cell = string | { text: string; tone: Tone };

export interface Look {
  paint: Paint;
  /** Columns of the terminal; undefined where nothing is to be cut. */
  width: number | undefined;
}

const GAP = '  ';
const NARROWEST = 8;

const textOf = (cell: Cell | undefined): string => (typeof cell === 'object' ? cell.text : (cell ?? ''));
const toneOf = (cell: Cell | undefined): Tone | undefined =>
  typeof cell === 'object' ? cell.tone : undefined;

/** Control characters and line ends would break the table, or the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const clean = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
const widthOf = (text: string): number => [...text].length;

/** The last column takes what is left; the others are as wide as they need. */
export function table(headers: string[], rows: Cell[][], { paint, width }: Look): string {
  const texts = [headers, ...rows.map((row) => headers.map((_, at) => clean(textOf(row[at]))))];
  const widths = headers.map((_, at) => Math.max(...texts.map((row) => widthOf(row[at] ?? ''))));
  const before = widths.slice(0, -1).reduce((sum, column) => sum + column + GAP.length, 0);
  const last = headers.length - 1;
  if (width !== undefined && before + (widths[last] ?? 0) > width)
    widths[last] = Math.max(NARROWEST, width - before);
  const lines = texts.map((row, line) =>
    row
      .map((text, at) => {
        const shown = cut(text, widths[at] ?? 0);
        const padded = at === last ? shown : shown.padEnd((widths[at] ?? 0) + shown.length - widthOf(shown));
        return paint(line === 0 ? 'dim' : toneOf(rows[line - 1]?.[at]), padded);
      })
      .join(GAP)
      .trimEnd(),
  );
  return lines.join('\n');
}

function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}
