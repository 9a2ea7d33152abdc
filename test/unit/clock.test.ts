/** The real clock: it keeps its promise also where a timer of Node would not. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../common/clock.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const DAY = 86_400_000;

it('[2.5] a wait of months ends then and not at once, so that a long hold is no busy loop', async () => {
  const called = vi.fn();
  systemClock.after(60 * DAY, called);
  let slept = false;
  const sleep = systemClock.sleep(60 * DAY).then(() => {
    slept = true;
  });
  await vi.advanceTimersByTimeAsync(60 * DAY - 1);
  expect([called.mock.calls.length, slept]).toEqual([0, false]);
  await vi.advanceTimersByTimeAsync(1);
  await sleep;
  expect([called.mock.calls.length, slept]).toEqual([1, true]);
});

it('[2.5] a long wait can be undone at any time', async () => {
  const called = vi.fn();
  const undo = systemClock.after(60 * DAY, called);
  await vi.advanceTimersByTimeAsync(50 * DAY);
  undo();
  await vi.advanceTimersByTimeAsync(50 * DAY);
  expect([called.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
});
