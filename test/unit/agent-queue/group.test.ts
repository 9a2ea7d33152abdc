/** What a try leaves behind when its agent dies: ended by the next agent before it tells, and nobody else is mistaken for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endLeftover } from '../../../agent/queue/group.ts';
import { systemClock } from '../../../common/clock.ts';
import { processOf } from '../../../common/processes.ts';
import { temporaryFolder } from '../../support/courier.ts';
import { until } from '../../support/until.ts';
import { live, type World, wanted, worldIn } from './conductor.ts';

let at: { folder: string; remove: () => Promise<void> };
let child: ChildProcess;
let leader: { pid: number; started: number };
beforeEach(async () => {
  at = await temporaryFolder();
  child = spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore' });
  const found = processOf(child.pid ?? 0);
  if (!found) throw new Error('it did not start');
  leader = { pid: found.pid, started: found.started };
});
afterEach(async () => {
  child.kill('SIGKILL');
  await at.remove();
});

it('[5.3] a process that only has the number of a former leader is left alone; the leader itself is ended', async () => {
  expect(await endLeftover({ ...leader, started: leader.started - 1 }, systemClock)).toEqual([]);
  expect(processOf(leader.pid)).not.toBeNull();
  expect(await endLeftover(leader, systemClock)).toEqual([]);
  expect(processOf(leader.pid)).toBeNull();
});

it('[5.3] what began before anybody had written down who leads it is found by the name of its try, and nothing else is', async () => {
  const world: World = worldIn(join(at.folder, 'queue'));
  world.clock = { ...world.clock, sleep: systemClock.sleep };
  world.answer = () => ({ next: world.begun.length === 0 ? wanted('aaaaaaaaaaaa') : null });
  const first = live(world);
  await first.settle();
  first.killAfter(0);
  const started = (name: string) =>
    spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore', env: { EVENKEEL_TRY: name } });
  const [own, other] = [started('aaaaaaaaaaaa/1'), started('aaaaaaaaaaaa/11')];
  const next = live(world);
  await until('it is told', async () => {
    await next.settle();
    return world.pulls.at(-1)?.results.length === 1;
  });
  expect([own, other].map(({ pid = 0 }) => processOf(pid) !== null)).toEqual([false, true]);
  other.kill('SIGKILL');
  await next.bury();
  await first.bury();
});

it.each([
  ['boot-1', 'is ended before the end of the try is told', false],
  ['boot-2', 'is somebody else by now, and is left alone', true],
])('[5.3] who led a try on boot-1, seen on %s, %s', async (boot, _, lives) => {
  const world: World = worldIn(join(at.folder, 'queue'));
  world.clock = { ...world.clock, sleep: systemClock.sleep };
  const seen: boolean[] = [];
  world.answer = ({ results }) => {
    if (results.length > 0) seen.push(processOf(leader.pid) !== null);
    return { next: world.begun.length === 0 ? wanted('aaaaaaaaaaaa') : null };
  };
  const first = live(world);
  await first.settle();
  first.hooks()?.leads(leader);
  await first.settle();
  first.killAfter(0);
  world.boot = boot;
  const next = live(world);
  await until('it is told', async () => {
    await next.settle();
    return seen.length > 0;
  });
  expect(seen).toEqual([lives]);
  expect(world.pulls.at(-1)?.results).toMatchObject([{ end: 'failed', error: { code: 'interrupted' } }]);
  await next.bury();
  await first.bury();
});
