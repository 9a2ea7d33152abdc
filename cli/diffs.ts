/** Diffs on the screen: what would change in what is declared, and in the files of the nodes. */
import type { FileDiff } from '../protocol/messages.ts';
import type { ApplyAnswer } from '../protocol/views.ts';
import type { Paint, Tone } from './paint.ts';

const toneOf = (line: string): Tone | undefined => {
  if (/^(---|\+\+\+|@@)/.test(line)) return 'dim';
  if (line.startsWith('+')) return 'good';
  return line.startsWith('-') ? 'bad' : undefined;
};

export const painted = (diff: string, paint: Paint): string =>
  diff
    .trimEnd()
    .split('\n')
    .map((line) => paint(toneOf(line), line))
    .join('\n');

/** Without the two lines that name the file: the line above them has named the resource. */
const headless = (diff: string): string => diff.replace(/^---.*\n\+\+\+.*\n/, '');

const marks = { create: '+', update: '~', delete: '-', unchanged: ' ' } as const;

/** Each changed resource with its diff. */
export const resourceDiffs = ({ changes }: ApplyAnswer, paint: Paint): string[] =>
  changes.map(({ kind, name, op, diff }) =>
    [
      paint('bold', `${marks[op]} ${kind}/${name}`),
      ...(diff === '' ? [] : [painted(headless(diff), paint)]),
    ].join('\n'),
  );

/** Each kind of node with the files that would change there. */
export const renderedDiffs = ({ rendered }: ApplyAnswer, paint: Paint): string[] =>
  rendered.flatMap(({ node, alike, units }) =>
    units.map(({ unit, files, error }) => {
      const others = alike.length === 0 ? '' : ` and ${alike.length} alike (${alike.slice(0, 5).join(', ')})`;
      const head = paint('bold', `on ${node}${others}, ${unit}:`);
      return [head, ...(error === undefined ? [] : [paint('bad', error)]), ...fileDiffs(files, paint)].join(
        '\n',
      );
    }),
  );

export const fileDiffs = (files: FileDiff[], paint: Paint): string[] =>
  files.map(({ path, change, diff, replaced }) =>
    replaced ? paint('dim', `${path} is ${change}: too much changes to show it`) : painted(diff, paint),
  );
