/** What a command says: bounded, told a little at a time, and without its secrets however its words are cut. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHiding, createOutput } from '../../../agent/queue/output.ts';
import { OUTPUT_LIMIT } from '../../../protocol/queue.ts';
import { createManualClock } from '../../support/clock.ts';

const heard = (secrets: string[] = []) => {
  const clock = createManualClock();
  const pieces: [text: string, at: number][] = [];
  const output = createOutput({ secrets, clock, live: (...piece) => pieces.push(piece) });
  return { clock, pieces, output };
};

it('[5.2] a secret is shown to nobody, wherever what is said is cut into pieces', () => {
  const letters = fc.constantFrom('a', 'b', '.', '\n');
  const text = fc.array(letters, { maxLength: 40 }).map((all) => all.join(''));
  const secret = fc
    .array(fc.constantFrom('a', 'b', '.'), { minLength: 1, maxLength: 5 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(text, fc.array(secret, { maxLength: 3 }), fc.array(fc.nat(40)), (said, secrets, cuts) => {
      const whole = createHiding(secrets);
      const atOnce = whole.pass(said) + whole.rest();
      const hiding = createHiding(secrets);
      const at = [0, ...cuts.filter((cut) => cut <= said.length).sort((a, b) => a - b), said.length];
      const parts = at.slice(1).map((end, nth) => said.slice(at[nth], end));
      expect(parts.map(hiding.pass).join('') + hiding.rest()).toBe(atOnce);
      for (const one of secrets) expect(atOnce.split('[secret]').join('\u0000')).not.toContain(one);
    }),
    { numRuns: 3_000 },
  );
});

it('[5.2] a secret that its two outputs say at once is hidden in each', () => {
  const { output } = heard(['hunter2']);
  for (const [from, text] of [
    ['stdout', 'x hun'],
    ['stderr', 'y hunt'],
    ['stdout', 'ter2 z'],
    ['stderr', 'er2'],
  ])
    output.hear(from ?? '', text ?? '');
  expect(output.end().output).toBe('x y [secret] z[secret]');
});

it('[5.2] of much, the beginning and the end are kept, and how much was left out is said', () => {
  const { output, pieces } = heard();
  output.hear('stdout', 'first');
  for (let at = 0; at < 200; at += 1) output.hear('stdout', 'x'.repeat(1_000));
  output.hear('stdout', 'last');
  const { output: kept, omitted } = output.end();
  expect([kept.length, omitted]).toEqual([OUTPUT_LIMIT, 200_009 - OUTPUT_LIMIT]);
  expect([kept.slice(0, 6), kept.slice(-5)]).toEqual(['firstx', 'xlast']);
  const [text = '', at = 0] = pieces.at(-1) ?? [];
  expect(at + text.length).toBe(200_009);
});

it('[5.5] what is told at once comes every 200 ms at most, a little each time, the newest first of all', async () => {
  const { clock, output, pieces } = heard();
  output.hear('stdout', 'a');
  output.hear('stdout', 'b');
  expect(pieces).toEqual([['a', 0]]);
  await clock.advance(199);
  expect(pieces).toHaveLength(1);
  output.hear('stdout', 'c'.repeat(10_000));
  await clock.advance(1);
  expect(pieces.slice(1)).toEqual([['c'.repeat(4_096), 10_002 - 4_096]]);
  await clock.advance(1_000);
  output.hear('stdout', 'd');
  output.hear('stdout', 'e');
  output.end();
  expect(pieces.slice(2)).toEqual([
    ['d', 10_002],
    ['e', 10_003],
  ]);
  await clock.advance(1_000);
  expect(pieces).toHaveLength(4);
});
