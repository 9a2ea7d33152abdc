/** What the lab makes of a person's words, and what its smoke test calls right. */
import { describe, expect, it } from 'vitest';
import { secondsOf } from './hold.ts';
import { judge, type Seen } from './smoke.ts';
import type { Visits } from './visit.ts';

const visits = (split: Record<string, number>, failed: string[] = []): Visits => ({
  split,
  failed,
  answers: Object.entries(split).flatMap(([node, count]) =>
    Array.from({ length: count }, () => ({ from: '198.51.100.1', status: 200, node, body: '', ms: 1 })),
  ),
});

const well: Seen = {
  first: visits({ w1: 50, w2: 50 }),
  removedAfter: 1200,
  during: visits({ w1: 2 }, ['no answer']),
  after: visits({ w1: 97 }),
};

describe('[3.1] the smoke test', () => {
  it('[3.1] is right when both served, the dead one was removed, and the other served alone', () => {
    expect(judge(well)).toEqual([]);
  });

  it.each<[string, Partial<Seen>, RegExp]>([
    ['a request failed while all was well', { first: visits({ w1: 50, w2: 49 }, ['refused']) }, /refused/],
    ['one node had nearly all', { first: visits({ w1: 90, w2: 10 }) }, /w2 answered fewer/],
    ['the dead node stayed in the table', { removedAfter: undefined }, /w2 was not removed/],
    ['a request failed after the removal', { after: visits({ w1: 96 }, ['no answer']) }, /after the removal/],
    ['a dead node answered', { after: visits({ w1: 96, w2: 1 }) }, /w2 answered after/],
    ['nothing was asked after the removal', { after: visits({}) }, /nothing was answered/],
  ])('[3.1] is wrong when %s', (_, differs, why) => {
    expect(judge({ ...well, ...differs }).join('; ')).toMatch(why);
  });
});

describe('[3.1] a skew', () => {
  it.each([
    ['+1h', 3600],
    ['-30m', -1800],
    ['90s', 90],
    ['90', 90],
    ['0', 0],
  ])('[3.1] of %s is %d seconds', (text, seconds) => {
    expect(secondsOf(text)).toBe(seconds);
  });

  it('[3.1] that is none is refused with how to write it', () => {
    expect(() => secondsOf('soon')).toThrow(/"soon" is no skew; write \+1h/);
  });
});
