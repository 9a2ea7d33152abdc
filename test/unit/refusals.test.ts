/** Refusals as events: the first of each at once, then counts, and never more of them than is bounded. */
import { expect, it } from 'vitest';
import { createRefusals, type Refusal } from '../../manager/refusals.ts';
import type { EventLine } from '../../protocol/views.ts';
import { createManualClock } from '../support/clock.ts';

function start() {
  const clock = createManualClock();
  const events: Omit<EventLine, 'id' | 'at'>[] = [];
  const refusals = createRefusals({ emit: (event) => events.push(event), clock });
  const stop = refusals.start();
  return { clock, events, refusals, stop };
}
const at = (who: string, door: Refusal['door'] = 'token'): Refusal => ({ door, who, message: `no ${who}` });
const FIVE_MINUTES = 300_000;

it('[2.8] the first refusal of an address is an event at once, a flood of it one more with the count', async () => {
  const { clock, events, refusals, stop } = start();
  for (let tries = 0; tries < 10_000; tries += 1) refusals.refused(at('192.0.2.1'));
  expect(events).toEqual([
    {
      ...{ type: 'trust.refused', severity: 'warning', subject: '192.0.2.1', message: 'no 192.0.2.1' },
      data: { door: 'token', who: '192.0.2.1', count: 1 },
    },
  ]);
  await clock.advance(FIVE_MINUTES);
  expect(events).toHaveLength(2);
  expect(events[1]).toMatchObject({
    message: '9999 more of 192.0.2.1, the last: no 192.0.2.1',
    data: { count: 9999 },
  });
  await clock.advance(10 * FIVE_MINUTES);
  expect(events).toHaveLength(2);
  refusals.refused(at('192.0.2.1'));
  expect(events, 'after a quiet while it is news again').toHaveLength(3);
  stop();
});

it('[2.8] a flood from ten thousand addresses is a bounded number of events, and every one is counted', async () => {
  const { clock, events, refusals, stop } = start();
  for (let who = 0; who < 10_000; who += 1) for (const _ of [1, 2]) refusals.refused(at(`192.0.2.${who}`));
  await clock.advance(FIVE_MINUTES);
  expect(events.length).toBeLessThanOrEqual(101);
  const counted = events.reduce((sum, { data }) => sum + (data as { count: number }).count, 0);
  expect(counted).toBe(20_000);
  expect(refusals.counts()).toEqual({ token: 20_000, join: 0, certificate: 0, handshake: 0 });
  stop();
});

it('[2.8] a flood at one door hides nobody at another, and a node is named by its own event', async () => {
  const { events, refusals, stop } = start();
  for (let who = 0; who < 1000; who += 1) refusals.refused(at(`192.0.2.${who}`));
  refusals.refused({ ...at('web1', 'certificate'), node: 'web1' });
  expect(events.at(-1)).toMatchObject({ node: 'web1', subject: 'web1', data: { door: 'certificate' } });
  stop();
});
