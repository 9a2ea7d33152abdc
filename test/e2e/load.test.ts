/** Traffic goes on while things are killed, drained, changed and restarted: every failed request is judged by log. */
import { describe, expect, it } from 'vitest';
import { printResult, runLoad } from '../../bench/load/load.ts';
import { systemClock } from '../../common/clock.ts';
import { useSandbox } from '../support/use-sandbox.ts';

/**
 * `npm run bench -- load` runs the full minute; here both ways are held to their promises in less time.
 */
const seconds = Number(process.env.EVENKEEL_LOAD_SECONDS ?? 24);
const rate = 520;
const say = (line: string) => process.stdout.write(`${line}\n`);

const sandbox = useSandbox();
const load = async (mode: 'shipped' | 'verdicts') => {
  const result = await runLoad({ sandbox: sandbox(), seconds, rate, clock: systemClock, mode, say });
  printResult(result, say);
  return result;
};

describe('[2.7] under load', () => {
  it('with the shipped policy no request fails but those in flight on the killed nginx', {
    timeout: (seconds + 60) * 1000,
  }, async () => {
    const result = await load('shipped');
    expect(result.unexplained).toEqual([]);
    expect(result.askedAgain).toBe(0);
    expect(result.perSecond).toBeGreaterThanOrEqual(500);
    expect(result.logged).toBeGreaterThan(0.99 * result.samples.length);
    expect(result.events).toHaveLength(7);
  });

  it('with verdicts alone, what fails was sent to the killed node before the pool answered', {
    timeout: (seconds + 60) * 1000,
  }, async () => {
    const result = await load('verdicts');
    expect(result.unexplained).toEqual([]);
    expect(result.perSecond).toBeGreaterThanOrEqual(500);
    expect(result.logged).toBeGreaterThan(0.99 * result.samples.length);
    expect(result.events[1]?.removedAt).not.toBeNull();
    expect(result.events[1]?.backAt).not.toBeNull();
  });
});
