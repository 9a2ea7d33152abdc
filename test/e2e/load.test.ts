/** Traffic goes on while things are killed, drained, changed and restarted: every failed request is judged by log. */
import { describe, expect, it } from 'vitest';
import { printResult, runLoad } from '../../bench/load/load.ts';
import { systemClock } from '../../common/clock.ts';
import { useSandbox } from '../support/use-sandbox.ts';

/**
 * `npm run bench -- load` runs the full minute, and the same with verdicts alone, where requests to the killed node are
 * still found that its judge cannot explain; here the shipped policy is held to its promise in less time.
 */
const seconds = Number(process.env.EVENKEEL_LOAD_SECONDS ?? 24);
const rate = 520;
const say = (line: string) => process.stdout.write(`${line}\n`);

const sandbox = useSandbox();
const load = async (mode: 'shipped') => {
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
});
