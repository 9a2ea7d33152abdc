/** What an earlier run of the agent has begun and left: until that is looked after, the queue does not open. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../support/courier.ts';
import { live, type World, wanted, worldIn } from './conductor.ts';

/** How often /proc cannot be read still, as when all descriptors are in use. */
const proc = vi.hoisted(() => ({ failures: 0 }));
vi.mock('../../../common/processes.ts', async (original) => {
  const real = await original<typeof import('../../../common/processes.ts')>();
  return {
    ...real,
    markedWith: (...of: Parameters<typeof real.markedWith>) => {
      proc.failures -= 1;
      if (proc.failures >= 0) throw new Error('EMFILE: too many open files, scandir');
      return real.markedWith(...of);
    },
  };
});

let at: { folder: string; remove: () => Promise<void> };
let world: World;
beforeEach(async () => {
  at = await temporaryFolder();
  world = worldIn(join(at.folder, 'queue'));
});
afterEach(() => at.remove());

it('[5.3] what is left of an earlier try is looked for again when that failed, and then its end is told and the queue goes on', async () => {
  const run = 'aaaaaaaaaaaa';
  world.answer = ({ results, working }) => ({
    next: results.length === 0 && working === null && world.begun.length === 0 ? wanted(run) : null,
  });
  const first = live(world);
  await first.settle();
  first.killAfter(0);
  await first.bury();
  proc.failures = 2;
  const second = live(world);
  await second.settle();
  const told = () => world.pulls.flatMap(({ results }) => results);
  expect(told()).toEqual([]);
  for (let tries = 0; tries < 4; tries += 1) {
    await world.clock.advance(1_000);
    await second.settle();
  }
  expect(told()).toMatchObject([{ run, end: 'failed', error: { code: 'interrupted' } }]);
  expect(world.begun).toEqual([`${run}/1`]);
  await second.bury();
});
