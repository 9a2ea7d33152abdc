/** The judge: hysteresis by counts, as a property of every sequence of samples. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Judgement, judge, unjudged, type Verdict } from '../../common/health/judge.ts';

const hysteresis = fc.record({ fall: fc.integer({ min: 1, max: 5 }), rise: fc.integer({ min: 1, max: 5 }) });
const samples = fc.array(fc.boolean(), { maxLength: 60 });
const beginnings = fc.constantFrom<Verdict>('unknown', 'up', 'down');

const follow = (begin: Verdict, taken: boolean[], rules: { fall: number; rise: number }): Judgement[] => {
  const states = [unjudged(0, begin)];
  for (const [index, sample] of taken.entries()) states.push(judge(states[index]!, sample, rules, index + 1));
  return states;
};

/** Whether the last `count` samples up to `end` were all `wanted`. */
const inARow = (taken: boolean[], end: number, count: number, wanted: boolean) =>
  end >= count && taken.slice(end - count, end).every((sample) => sample === wanted);

describe('[2.7] the judge', () => {
  it('changes its verdict only after fall bad or rise good samples in a row, and then always', () => {
    fc.assert(
      fc.property(beginnings, samples, hysteresis, (begin, taken, rules) => {
        const states = follow(begin, taken, rules);
        for (let at = 1; at < states.length; at += 1) {
          const [was, is] = [states[at - 1]!.state, states[at]!.state];
          const falls = was !== 'down' && inARow(taken, at, rules.fall, false);
          const rises = was !== 'up' && inARow(taken, at, rules.rise, true);
          // A run that was begun before the last change of state does not count twice.
          if (was !== is) expect(is === 'down' ? falls : rises).toBe(true);
          if (was === is && at - states[at - 1]!.since >= Math.max(rules.fall, rules.rise))
            expect(falls || rises).toBe(false);
        }
      }),
    );
  });

  it('never goes back to unknown, and says since when a state has held', () => {
    fc.assert(
      fc.property(beginnings, samples, hysteresis, (begin, taken, rules) => {
        const states = follow(begin, taken, rules);
        for (let at = 1; at < states.length; at += 1) {
          const [was, is] = [states[at - 1]!, states[at]!];
          expect(is.state === 'unknown' && was.state !== 'unknown').toBe(false);
          expect(is.since).toBe(was.state === is.state ? was.since : at);
        }
      }),
    );
  });

  it('is not worn down by single bad samples between good ones', () => {
    const states = follow('up', [false, true, false, true, false, true], { fall: 2, rise: 3 });
    expect(states.map(({ state }) => state)).toEqual(Array(7).fill('up'));
  });

  it('lets what begins at down prove itself first', () => {
    const states = follow('down', [true, true, true], { fall: 2, rise: 3 });
    expect(states.map(({ state }) => state)).toEqual(['down', 'down', 'down', 'up']);
  });
});
