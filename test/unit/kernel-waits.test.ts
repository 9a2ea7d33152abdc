/** How long a check of the kernel waits for a pass: for that of its own unit alone, and never for all of its timeout. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Kernel } from '../../agent/kernel/kernel.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { temporaryFolder } from '../support/courier.ts';
import { kernelOf } from '../support/home.ts';

let at: { folder: string; remove: () => Promise<void> };
let clock: ManualClock;
let kernel: Kernel;
let file: string;
let isAnswered: boolean;
beforeEach(async () => {
  at = await temporaryFolder();
  [clock, isAnswered] = [createManualClock(), false];
  kernel = kernelOf(at.folder, clock);
  file = join(at.folder, 'units/quiet/current/lines/quiet.kernel');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'nonsense\n');
});
afterEach(() => at.remove());

const ask = async (timeout: number) => {
  const found = kernel.differingIn(file, timeout).finally(() => {
    isAnswered = true;
  });
  await settled();
  return { found };
};
/** Time for reading a file. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
const begin = (unit: string) => {
  kernel.expect(unit);
  kernel.begin(unit);
};

it('[3.4] what a unit lacks is told at once while only others are looked at', async () => {
  begin('other');
  const { found } = await ask(500);
  expect(isAnswered).toBe(true);
  expect(await found).toHaveLength(1);
});

it.each([
  [500, 250],
  [60_000, 3_000],
])('[3.4] a check with %d ms waits for a pass of its own unit, %d ms at most', async (timeout, most) => {
  begin('quiet');
  const { found } = await ask(timeout);
  await clock.advance(most - 1);
  await settled();
  expect(isAnswered).toBe(false);
  await clock.advance(1);
  expect(await found).toHaveLength(1);
});

it('[3.4] what the pass of its own unit has made so by its end is not told', async () => {
  begin('quiet');
  const { found } = await ask(500);
  writeFileSync(file, '');
  kernel.over('quiet');
  expect(await found).toEqual([]);
});
