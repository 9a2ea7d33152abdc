/** Waiting for what others have begun with a daemon: as long as they may take, and no longer. What systemd does is tried in the lab. */
import { expect, it } from 'vitest';
import { stateIn } from '../../agent/drivers/systemd/systemctl.ts';
import { createWaiting } from '../../agent/drivers/systemd/waiting.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { createManualClock } from '../support/clock.ts';

const nginx: ResolvedService = {
  ...{ name: 'nginx-of-nobody', start: ['nginx'], pidFile: '/run/evenkeel/nginx.pid', sockets: [] },
  ...{ reload: { signal: 'SIGHUP' }, stop: { signal: 'SIGQUIT' }, timeout: 60_000 },
};
const RESTARTS = 'ActiveState=deactivating\nSubState=stop-sigterm\nJob=12\n';
const STARTS = 'ActiveState=activating\nSubState=start\nJob=12\nControlPID=77\n';
const WAITS = 'ActiveState=activating\nSubState=start\nJob=12\nControlPID=0\n';
const AGAIN = 'ActiveState=activating\nSubState=auto-restart\nJob=\nControlPID=0\n';
const RUNS = 'ActiveState=active\nSubState=running\nJob=\nMainPID=78\n';
const DIED = 'ActiveState=deactivating\nSubState=stop-sigterm\nJob=\n';

/** A systemd that shows one after the other, the last one for ever; nobody is in the unit. */
function shown(...texts: string[]) {
  const clock = createManualClock();
  const told: string[] = [];
  let looks = 0;
  const { untilDone } = createWaiting(
    {
      show: async () => stateIn(texts[Math.min(looks++, texts.length - 1)] ?? ''),
      tell: async (verb) => {
        told.push(verb);
        return { status: 0, output: '' };
      },
      readUnits: async () => undefined,
      said: async () => '',
    },
    clock,
  );
  const done = untilDone(nginx);
  const pass = async (ms: number) => {
    // The first look has to be over, or no timer is set yet.
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(ms);
  };
  return { told, looks: () => looks, done, pass };
}

it.each([
  ['one that stops and starts it again', [RESTARTS, RESTARTS, STARTS, RUNS], RUNS],
  ['one that systemd starts again by a drop-in', [AGAIN, AGAIN, AGAIN, AGAIN, STARTS, RUNS], RUNS],
  ['a start in which nobody is left to write the pid file', [STARTS, WAITS], WAITS],
])('[4.8] %s is waited for, and left alone', async (_, texts, last) => {
  const { pass, told, looks, done } = shown(...texts);
  await pass(60_000);
  expect(await done).toEqual(stateIn(last));
  expect(looks()).toBeGreaterThanOrEqual(texts.length);
  expect(told).toEqual([]);
});

it('[4.8] a daemon that died is not waited for', async () => {
  const { done, looks } = shown(DIED, RUNS);
  expect(await done).toEqual(stateIn(DIED));
  expect(looks()).toBe(1);
});

it('[4.8] a start that does not end is neither waited for without end, nor ended, nor taken for the fault of a change', async () => {
  const { pass, told, done } = shown(STARTS);
  const ended = expect(done).rejects.toMatchObject({ code: 'systemd-failed', retriable: true });
  await pass(3 * nginx.timeout);
  expect(await Promise.race([done, 'it waits'])).toBe('it waits');
  await pass(3 * nginx.timeout);
  await ended;
  expect(told).toEqual([]);
});
