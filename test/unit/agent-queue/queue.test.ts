/** The conductor: when it pulls, one try at a time, what a restart makes of a try, and that it tells each end until it is receipted. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/courier.ts';
import { type Life, live, resultOf, type World, wanted, worldIn } from './conductor.ts';

const [A, B] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'];
let at: { folder: string; remove: () => Promise<void> };
let world: World;
let lives: Life[];
beforeEach(async () => {
  at = await temporaryFolder();
  [world, lives] = [worldIn(join(at.folder, 'queue')), []];
});
afterEach(async () => {
  for (const life of lives) await life.bury();
  await at.remove();
});

const begin = async (): Promise<Life> => {
  const life = live(world);
  lives.push(life);
  await life.settle();
  return life;
};
const kill = (life: Life) => life.killAfter(0);
/** Handed out until its result is there, as the manager does. */
const handOut = (...tries: ReturnType<typeof wanted>[]) => {
  const over = new Set<string>();
  world.answer = ({ results }) => {
    for (const { run, number } of results) over.add(`${run}/${number}`);
    return { next: tries.find(({ run, number }) => !over.has(`${run}/${number}`)) ?? null };
  };
};
const told = () => world.pulls.flatMap(({ results }) => results);

it('[5.3] it pulls at its start, at the doorbell, at connect, and every minute; one pull at a time', async () => {
  const life = await begin();
  expect(world.pulls).toHaveLength(1);
  expect(world.pulls[0]).toMatchObject({ results: [], working: null });
  await world.clock.advance(59_000);
  expect(world.pulls).toHaveLength(1);
  await world.clock.advance(1_000);
  await life.settle();
  expect(world.pulls).toHaveLength(2);
  for (let rings = 0; rings < 20; rings += 1) life.queue.ring();
  await life.settle();
  expect(world.pulls).toHaveLength(3);
  life.queue.connected();
  await life.settle();
  expect(world.pulls).toHaveLength(4);
});

it('[5.2] one try after the other: the end of one is told with the pull that brings the next', async () => {
  handOut(wanted(A), wanted(B));
  const life = await begin();
  expect(world.begun).toEqual([`${A}/1`]);
  life.queue.ring();
  await life.settle();
  expect([world.begun, world.pulls.at(-1)?.working]).toEqual([[`${A}/1`], { run: A, number: 1 }]);
  life.finish();
  await life.settle();
  expect(world.begun).toEqual([`${A}/1`, `${B}/1`]);
  expect(told()).toEqual([resultOf(wanted(A))]);
  life.finish();
  await life.settle();
  expect(told()).toEqual([resultOf(wanted(A)), resultOf(wanted(B))]);
});

it('[5.2] what is handed out beside a try that is at work is left alone', async () => {
  world.answer = () => ({ next: wanted(world.begun.length > 0 ? B : A) });
  const life = await begin();
  life.queue.ring();
  await life.settle();
  expect([world.begun, world.pulls.at(-1)?.working]).toEqual([[`${A}/1`], { run: A, number: 1 }]);
  kill(life);
  await begin();
  expect(told()).toMatchObject([{ run: A, error: { code: 'interrupted' } }]);
});

it.each(['take', 'begin'] as const)(
  '[5.3] a try that the disk does not %s is not begun; it waits, and that is told',
  async (what) => {
    world.full = what;
    handOut(wanted(A));
    const life = await begin();
    await world.clock.advance(30_000);
    await life.settle();
    expect(world.begun).toEqual([]);
    expect(world.alarms.at(-1)).toBe('write-failed: no command begins: no space left');
    world.full = null;
    await world.clock.advance(60_000);
    await life.settle();
    expect([world.begun, world.alarms.at(-1)]).toEqual([[`${A}/1`], 'write-failed: ']);
  },
);

it('[5.3] a result is told again until it is receipted, also by the next run of the agent, and the try is not begun again', async () => {
  let isLost = true;
  world.answer = () => ({ next: wanted(A), lost: isLost && world.begun.length > 0 });
  const life = await begin();
  life.finish({ output: 'said' });
  await life.settle();
  kill(life);
  const next = await begin();
  const before = told().length;
  expect(before).toBeGreaterThan(1);
  isLost = false;
  await world.clock.advance(120_000);
  await next.settle();
  expect(
    told()
      .slice(0, before)
      .every(({ output, end }) => output === 'said' && end === 'succeeded'),
  ).toBe(true);
  expect(world.begun).toEqual([`${A}/1`]);
});

it('[5.3] a manager that asks again for what it had the result of, as after a restore, is told how it ended', async () => {
  handOut(wanted(A));
  const life = await begin();
  life.finish({ end: 'failed', status: 3, output: 'much' });
  await life.settle();
  const before = told().length;
  handOut(wanted(A));
  life.queue.ring();
  await life.settle();
  await world.clock.advance(1_000);
  await life.settle();
  expect(told().slice(before)).toEqual([
    resultOf(wanted(A), { end: 'failed', status: 3, output: '', omitted: 4 }),
  ]);
  expect(world.begun).toEqual([`${A}/1`]);
});

it('[5.3] a pull that fails is tried again, later each time, a minute at most', async () => {
  world.answer = () => ({ lost: true });
  const life = await begin();
  const at: number[] = [];
  for (let second = 0; second < 400; second += 1) {
    const before = world.pulls.length;
    await world.clock.advance(500);
    await life.settle();
    if (world.pulls.length > before) at.push(world.clock.monotonic());
  }
  const waits = at.slice(1).map((when, nth) => when - (at[nth] ?? 0));
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

it('[5.4] a delay is waited out and not counted as begun; after a restart it is not waited for again', async () => {
  handOut(wanted(A, 1, { delay: 30_000 }));
  const life = await begin();
  await world.clock.advance(29_000);
  life.queue.ring();
  await life.settle();
  expect([world.begun, world.pulls.at(-1)?.working]).toEqual([[], { run: A, number: 1 }]);
  kill(life);
  await begin();
  expect(world.begun).toEqual([`${A}/1`]);
});

it('[5.2] a try that an earlier run of the agent took and did not begin can be cancelled, and is begun by none', async () => {
  handOut(wanted(A, 1, { delay: 30_000 }));
  kill(await begin());
  world.answer = ({ results }) => ({ cancel: results.length === 0 ? { run: A, number: 1 } : null });
  const life = await begin();
  await world.clock.advance(60_000);
  await life.settle();
  expect(told()[0]).toMatchObject({ run: A, number: 1, end: 'cancelled', begun: false });
  expect(world.begun).toEqual([]);
});

it('[5.2] a cancelled try is ended, in its delay and in the middle, and what was never seen is known as cancelled', async () => {
  handOut(wanted(A, 1, { delay: 30_000 }));
  const life = await begin();
  const cancel = async (run: string, number = 1) => {
    world.answer = () => ({ cancel: { run, number } });
    life.queue.ring();
    await life.settle();
    world.answer = () => ({});
    await world.clock.advance(1_000);
    await life.settle();
  };
  await cancel(A, 7);
  expect(told().map(({ number, end, begun }) => ({ number, end, begun }))).toEqual([
    { number: 7, end: 'cancelled', begun: false },
  ]);
  await cancel(A);
  expect(told().at(-1)).toMatchObject({ run: A, number: 1, end: 'cancelled', begun: false });
  expect(world.begun).toEqual([]);
  handOut(wanted(B));
  life.queue.ring();
  await life.settle();
  await cancel(B);
  expect(told().at(-1)).toMatchObject({ run: B, end: 'cancelled', begun: true });
  handOut(wanted(A, 7));
  life.queue.ring();
  await life.settle();
  expect(world.begun).toEqual([`${B}/1`]);
});

it.each([
  [true, 'failed'],
  [false, 'unknown'],
] as const)(
  '[5.3] killed in the middle of a try that is idempotent (%s): it is not begun again, and is %s',
  async (idempotent, end) => {
    world.what = { idempotent, reboots: false };
    handOut(wanted(A));
    kill(await begin());
    await begin();
    expect(told()).toMatchObject([{ run: A, end, begun: true, error: { code: 'interrupted' } }]);
    expect(world.begun).toEqual([`${A}/1`]);
  },
);

it.each([
  [true, 'failed'],
  [false, 'unknown'],
] as const)(
  '[5.3] stopped in the middle of one that is idempotent (%s): it is ended, and is %s, not cancelled',
  async (idempotent, end) => {
    world.what = { idempotent, reboots: false };
    handOut(wanted(A));
    const life = await begin();
    await life.stop();
    kill(life);
    await begin();
    expect(told()).toMatchObject([{ run: A, end, begun: true, error: { code: 'interrupted' } }]);
  },
);

it.each([
  ['another boot', 'boot-2', 'succeeded', null],
  ['the same boot', 'boot-1', 'failed', { code: 'command-failed' }],
])('[5.1] a reboot that was begun, and the agent starts again on %s', async (_, boot, end, error) => {
  world.what = { idempotent: false, reboots: true };
  handOut(wanted(A));
  const life = await begin();
  // As systemd does when the box goes down.
  await life.stop();
  kill(life);
  world.boot = boot;
  await begin();
  expect(told()).toMatchObject([{ run: A, number: 1, end, error, begun: true }]);
  expect(world.begun).toEqual([`${A}/1`]);
});

it('[5.5] what a try says is told in pieces that say where they belong', async () => {
  handOut(wanted(A));
  const life = await begin();
  life.hooks()?.live('one', 0);
  life.hooks()?.live('two', 12);
  expect(world.live).toEqual([
    { run: A, number: 1, at: 0, text: 'one' },
    { run: A, number: 1, at: 12, text: 'two' },
  ]);
});

it('[5.3] a damaged ledger raises an alarm, and the manager sees another name', async () => {
  handOut(wanted(A));
  const life = await begin();
  life.finish();
  await life.settle();
  kill(life);
  appendFileSync(join(world.folder, 'tries.log'), 'x\ny\n');
  await begin();
  expect(world.alarms.at(-1)).toMatch(/^store-damaged: .*does not verify/);
  const names = world.pulls.map(({ ledger }) => ledger);
  expect(names.at(-1)).not.toBe(names[0]);
});
