/** Tables: aligned, cut to the terminal, and never able to break it. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { kindOf } from '../../cli/kinds.ts';
import { paintFor } from '../../cli/paint.ts';
import { table } from '../../cli/table.ts';
import { relative } from '../../cli/time.ts';

const plain = { paint: (_: unknown, text: string) => text, width: undefined };

it('[2.8] columns stand under their headers', () => {
  const rows = [
    ['n1', 'active'],
    ['a-long-name', 'held'],
  ];
  expect(table(['NAME', 'STATE'], rows, plain)).toBe(
    'NAME         STATE\nn1           active\na-long-name  held',
  );
});

it('[2.8] a table stays within the terminal as long as its last column can give way, and holds no control character', () => {
  const cell = fc.string({ maxLength: 30, unit: 'binary' });
  const rows = fc.array(fc.tuple(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), cell), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(rows, fc.integer({ min: 30, max: 60 }), (cells, width) => {
      const lines = table(['A', 'B', 'NOTES'], cells, { ...plain, width }).split('\n');
      expect(lines).toHaveLength(cells.length + 1);
      for (const line of lines) {
        expect([...line].length).toBeLessThanOrEqual(width);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        expect(line).not.toMatch(/[\u0000-\u001f\u007f]/);
      }
    }),
  );
});

it('[2.8] colour is for terminals alone', () => {
  expect(paintFor({ isTTY: false })('bad', 'x')).toBe('x');
  expect(paintFor({})('bad', 'x')).toBe('x');
});

it('[2.8] kinds are known by any case and number, and by short names', () => {
  expect(['site', 'Sites', 'SITE', 'policies', 'vs', 'virtualservices', 'nodes'].map(kindOf)).toEqual([
    ...['Site', 'Site', 'Site', 'Policy', 'VirtualService', 'VirtualService', 'Node'],
  ]);
  expect(() => kindOf('sight')).toThrow(/there is no kind sight/);
});

it('[2.8] times are said from now, both ways', () => {
  const now = Date.parse('2026-11-21T09:00:00Z');
  const said = ['2026-11-21T08:59:57Z', '2026-11-21T06:30:00Z', '2026-12-21T09:00:00Z'].map((at) =>
    relative(at, now),
  );
  expect([...said, relative(null)]).toEqual(['3s ago', '2h ago', 'in 30d', '-']);
});
