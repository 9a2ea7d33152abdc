/** Culprits and diffs: who is meant by a checker's message, and what people are shown of a change. */
import { describe, expect, it } from 'vitest';
import { quotedItems, spansAt } from '../../../common/render/culprit.ts';
import { unifiedDiff } from '../../../common/render/diff.ts';

const file = {
  text: 'a {\n cert /certs/a.pem;\n root /srv;\n}\nb {\n cert /certs/b.pem;\n root /srv;\n}\n',
  spans: [
    { item: 'Site/a.example', from: 1, to: 4 },
    { item: 'Site/b.example', from: 5, to: 8 },
  ],
};
const other = {
  text: 'c {\n cert /certs/a.pem.old;\n root /srv;\n}\n',
  spans: [{ item: 'Site/c.example', from: 1, to: 4 }],
};

describe('the culprit of a message', () => {
  it('is the item that wrote the line', () => {
    expect([1, 4, 5, 8].map((line) => spansAt(file, line))).toEqual([
      'Site/a.example',
      'Site/a.example',
      'Site/b.example',
      'Site/b.example',
    ]);
    expect([0, 9].map((line) => spansAt(file, line))).toEqual([undefined, undefined]);
  });

  it('is the item that holds a quoted value, as nginx names no file for a missing certificate', () => {
    const message =
      'cannot load certificate "/certs/a.pem": BIO_new_file() failed (No such file: fopen("/certs/a.pem"))';
    expect(quotedItems(message, [file, other])).toEqual(['Site/a.example']);
    expect(quotedItems("unknown 'b' here", [file, other])).toEqual(['Site/b.example']);
  });

  it('is nobody when every item holds the value, or none does, or nothing is quoted', () => {
    expect(quotedItems('invalid "root"', [file, other])).toEqual([]);
    expect(quotedItems('invalid "absent"', [file, other])).toEqual([]);
    expect(quotedItems('invalid', [file, other])).toEqual([]);
  });

  it('is by the value that fits the fewest, when several are quoted', () => {
    expect(quotedItems('"cert" of "/certs/b.pem"', [file, other])).toEqual(['Site/b.example']);
  });

  it('is not looked for in files that were not rendered', () => {
    expect(quotedItems('"/certs/a.pem"', [{ text: null, spans: [] }])).toEqual([]);
  });
});

describe('a diff', () => {
  it('shows what was added, removed or modified', () => {
    expect(unifiedDiff('x.conf', 'a\nb\n', 'a\nc\n')).toEqual({
      path: 'x.conf',
      change: 'modified',
      diff: '--- x.conf\n+++ x.conf\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n',
    });
    expect(unifiedDiff('x.conf', null, 'a\n')).toMatchObject({
      change: 'added',
      diff: expect.stringContaining('\n+a\n'),
    });
    expect(unifiedDiff('x.conf', 'a\n', null)).toMatchObject({
      change: 'removed',
      diff: expect.stringContaining('\n-a\n'),
    });
  });

  it('is cut at a line within 16 KiB, and says how much is left out', () => {
    const lines = Array.from(
      { length: 900 },
      (_, at) => `ä line of some length with the number ${at}\n`,
    ).join('');
    const { diff, replaced } = unifiedDiff('x.conf', null, lines);
    expect(replaced).toBeUndefined();
    expect(Buffer.byteLength(diff)).toBeLessThanOrEqual(16 * 1024);
    expect(diff).toMatch(/\n\\ [0-9]+ more lines are not shown\n$/);
  });

  it('gives up on a large file that changed throughout, and says that it was replaced', () => {
    const text = (word: string) => Array.from({ length: 20_000 }, (_, at) => `${word} ${at}\n`).join('');
    expect(unifiedDiff('x.conf', text('old'), text('new'))).toEqual({
      path: 'x.conf',
      change: 'modified',
      diff: '',
      replaced: true,
    });
  });
});
