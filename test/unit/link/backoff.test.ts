/** The waits between tries to reach the manager. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { waitBefore } from '../../../agent/link/backoff.ts';

const chances = fc.double({ min: 0, max: 1, noNaN: true });

describe('[2.5] the wait before the next try', () => {
  it('[2.5] is at most half a second for the first five seconds, so that a restart is over when the manager is back', () => {
    for (let failures = 0, waited = 0; waited < 5_000; failures += 1) {
      expect(waitBefore(failures, 1)).toBeLessThanOrEqual(500);
      waited += waitBefore(failures, 0.5);
    }
  });

  it('[2.5] never leaves its bounds and never spreads nodes over less than half of itself', () => {
    fc.assert(
      fc.property(fc.nat({ max: 100_000 }), chances, (failures, chance) => {
        const wait = waitBefore(failures, chance);
        expect(wait).toBeGreaterThanOrEqual(125);
        expect(wait).toBeLessThanOrEqual(30_000);
        expect(waitBefore(failures, 0)).toBe(waitBefore(failures, 1) / 2);
        expect(waitBefore(failures + 1, chance)).toBeGreaterThanOrEqual(wait);
      }),
    );
  });

  it('[2.5] comes to half a minute when the manager stays away', () => {
    expect(waitBefore(30, 1)).toBe(30_000);
  });
});
