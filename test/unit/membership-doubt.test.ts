/** A box that is turned away: when it believes that it was removed, and when it does not. */
import { expect, it } from 'vitest';
import { createMembership } from '../../agent/wiring/membership.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { createManualClock } from '../support/clock.ts';
import { quiet } from '../support/courier.ts';

const GRACE_MS = 30_000;
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** @param answers of the manager, one after the other, the last one again and again */
function doubting(answers: (EvenkeelError | 'member')[], held = () => false) {
  const clock = createManualClock();
  const asked: number[] = [];
  const gone: number[] = [];
  const membership = createMembership({
    ask: async () => {
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(clock.monotonic());
      if (answer !== 'member') throw answer;
    },
    held,
    gone: () => gone.push(clock.monotonic()),
    ...{ clock, log: quiet },
  });
  const after = async (ms: number) => {
    await settled();
    await clock.advance(ms);
    await settled();
  };
  return { membership, asked, gone, after };
}
const removed = new EvenkeelError('node-removed', 'removed');

it('[4.5] it leaves when it is told so twice, thirty seconds apart, and asks no more often meanwhile', async () => {
  const { membership, asked, gone, after } = doubting([removed]);
  for (let time = 0; time < 5; time += 1) membership.doubt();
  await after(GRACE_MS - 1);
  expect([asked.length, gone.length]).toEqual([1, 0]);
  await after(1);
  expect([asked.length, gone.length]).toEqual([2, 1]);
});

it('[4.5] it stays when it was declared again meanwhile, or the second answer is none', async () => {
  for (const second of ['member', new EvenkeelError('node-unreachable', 'away')] as const) {
    const { membership, asked, gone, after } = doubting([removed, second]);
    membership.doubt();
    await after(GRACE_MS);
    expect([asked.length, gone.length]).toEqual([2, 0]);
  }
});

it('[4.5] any other refusal is no removal: forbidden, a changed key, a manager that is away', async () => {
  for (const code of ['forbidden', 'identity-changed', 'node-unreachable'] as const) {
    const { membership, gone, after } = doubting([new EvenkeelError(code, code)]);
    membership.doubt();
    await after(GRACE_MS * 10);
    expect(gone).toEqual([]);
  }
});

it('[4.5] on hold by its root it stays as it is, and leaves when that has ended', async () => {
  let hold = true;
  const { membership, gone, after } = doubting([removed], () => hold);
  membership.doubt();
  await after(GRACE_MS);
  expect(gone).toEqual([]);
  hold = false;
  membership.doubt();
  await after(GRACE_MS);
  expect(gone.length).toBe(1);
});

it('[4.5] an agent that stops in between has not left', async () => {
  const { membership, gone, after } = doubting([removed]);
  membership.doubt();
  await after(1_000);
  membership.stop();
  await after(GRACE_MS);
  expect(gone).toEqual([]);
});
