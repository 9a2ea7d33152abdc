/** Services with a real nginx: started, taken over, brought back, ended; and checkers that are missing, hang, or are not allowed. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { systemClock } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { membersOf, processOf } from '../../common/processes.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Step } from '../../protocol/messages.ts';
import {
  type Home,
  type HomeOptions,
  kernelOf,
  newFolder,
  siteOf,
  webHome,
  webPolicy,
} from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

const serves = () =>
  until('it serves', async () => (await home.get('a.example').catch(() => null))?.body === 'a.example');
const restarts = () => home.unitReports().flatMap(({ restarted }) => restarted ?? []);
/** Rejects with another error when it has no end. */
const inTime = (renewal: Promise<void>) => within(renewal, 5_000, systemClock);
const lastReport = () => home.unitReports().at(-1);

async function begin(options: HomeOptions = {}) {
  home = await webHome(options);
  await home.declare(await siteOf(home, 'a.example'));
  await home.settled();
  return home.pid();
}

describe('a daemon', () => {
  it('[2.5] that is killed with SIGKILL is started again, though its workers had outlived it with its ports', async () => {
    const pid = await begin();
    process.kill(pid, 'SIGKILL');
    await until('another one runs', () => existsSync(pidFile()) && home.pid() !== pid);
    await serves();
    await until('it is told', () => lastReport()?.result === 'corrected');
    await home.units().idle();
    expect(restarts()).toEqual(['nginx']);
    // What is said again to a manager that has forgotten is no second death.
    home.units().say();
    expect(restarts()).toEqual(['nginx']);
  });

  it('[2.5] that died is told of whatever else the same pass has to do', async () => {
    const pid = await begin();
    await home.stop();
    process.kill(pid, 'SIGKILL');
    await home.declareUnseen(await siteOf(home, 'b.example'));
    await home.resume();
    await until(
      'it serves',
      async () => (await home.get('b.example').catch(() => null))?.body === 'b.example',
    );
    await home.units().idle();
    expect(restarts()).toEqual(['nginx']);
  });

  it('[2.5] that this agent starts, reloads or ends by itself has not died', async () => {
    await begin();
    await home.declare(await siteOf(home, 'b.example'));
    await home.settled();
    await home.declare(
      await webPolicy((spec) => {
        if (spec.service) spec.service.start = [...spec.service.start, '-g', 'worker_priority 1;'];
      }),
    );
    await home.settled();
    expect(restarts()).toEqual([]);
  });

  it('[5.1] that is told to load has other workers, and that is restarted is another one, when that is said to be done', async () => {
    const pid = await begin();
    const workers = () => membersOf(pid).map((one) => one.pid);
    const before = workers();
    await home.units().renew('web-nginx', 'reloaded');
    await until('old workers end', () => workers().every((one) => !before.includes(one)));
    expect(home.pid()).toBe(pid);
    await home.units().renew('web-nginx', 'restarted');
    expect(processOf(pid)).toBeNull();
    await serves();
    await home.units().idle();
    expect(restarts()).toEqual([]);
    await expect(home.units().renew('mail', 'reloaded')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('[5.1] whose unit is to be removed is not renewed any more, and nobody waits for that', async () => {
    await begin();
    await home.declare(home.node({ mode: 'audit' }));
    await home.settled();
    await home.remove({ kind: 'Policy', name: 'web-nginx' });
    await expect(inTime(home.units().renew('web-nginx', 'restarted'))).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('[5.1] that is to be renewed while its unit is being removed is refused when it is gone', async () => {
    let [isLeaving, asked] = [false, Promise.resolve()];
    const apply = async () => {
      if (isLeaving) asked = inTime(home.units().renew('web-nginx', 'restarted'));
      asked.catch(() => undefined);
    };
    const folder = newFolder();
    const kernel = { ...kernelOf(join(folder, 'state'), systemClock), apply };
    await begin({ folder, parts: { kernel } });
    isLeaving = true;
    await home.remove({ kind: 'Policy', name: 'web-nginx' });
    await until('it has ended', () => home.units().services().length === 0);
    await expect(asked).rejects.toMatchObject({ code: 'not-found' });
  });

  it('[2.5] outlives its agent, and the next agent takes it over', async () => {
    const pid = await begin();
    await home.stop();
    expect((await home.get('a.example')).body).toBe('a.example');
    await home.resume();
    await home.declare(await siteOf(home, 'b.example'));
    await home.settled();
    expect(home.pid()).toBe(pid);
  });

  it('[2.5] that died while no agent ran is started by the next one', async () => {
    const pid = await begin();
    await home.stop();
    process.kill(pid, 'SIGKILL');
    await home.resume();
    await serves();
  });

  it('[2.5] is not mistaken for another process that got its number', async () => {
    const pid = await begin();
    await home.stop();
    process.kill(pid, 'SIGQUIT');
    await until('it has ended', () => !existsSync(`/proc/${pid}`));
    // This test's own process is alive, and it is not nginx.
    writeFileSync(pidFile(), `${process.pid}\n`);
    await home.resume();
    await serves();
    expect(home.pid()).not.toBe(process.pid);
  });

  it('[2 bad input] whose folders were emptied, as by a reboot, is started again', async () => {
    const pid = await begin();
    for (const folder of [home.paths.log, home.paths.run, join(home.paths.state, 'tmp')])
      rmSync(folder, { recursive: true });
    for (const member of [pid, ...membersOf(pid).map((one) => one.pid)]) process.kill(member, 'SIGKILL');
    await home.restart();
    await serves();
    expect(home.pid()).not.toBe(pid);
  });

  it('[2.5] is stopped when its policy goes, and its tree is kept', async () => {
    const pid = await begin();
    const digest = lastReport()?.digest ?? '';
    await home.remove({ kind: 'Policy', name: 'web-nginx' });
    await until('it has ended', () => !existsSync(`/proc/${pid}`));
    await home.units().idle();
    expect(existsSync(join(home.unitFolder(), 'current'))).toBe(false);
    expect(existsSync(join(home.unitFolder(), 'trees', digest))).toBe(true);
  });

  it('[2.5] is started anew when the way in which it is started has changed', async () => {
    const pid = await begin();
    await home.declare(
      await webPolicy((spec) => {
        if (spec.service) spec.service.start = [...spec.service.start, '-g', 'worker_priority 1;'];
      }),
    );
    await home.settled();
    expect(home.pid()).not.toBe(pid);
    await serves();
  });

  it('[2.5] that cannot be started leads back to the tree with which it ran', async () => {
    await begin();
    const digest = lastReport()?.digest;
    await home.declare(
      await webPolicy((spec) => {
        if (spec.service) spec.service.start = ['nginx', '-c', '/nowhere/nginx.conf'];
      }),
    );
    await until('it is led back', () => home.unitReports().some(({ result }) => result === 'rolledBack'));
    expect(home.unitReports().find(({ result }) => result === 'rolledBack')).toMatchObject({
      step: 'reload',
      error: { code: 'service-failed' },
      digest,
    });
    await serves();
  });

  it('[4.8] that a slow systemd does not start or reload in time blames no site: it is tried again', async () => {
    await begin();
    await home.stop();
    let slow = 2;
    const checkpoint = (step: Step, phase: 'begin' | 'end') => {
      if (step !== 'reload' || phase !== 'begin' || slow-- <= 0) return;
      throw new EvenkeelError('systemd-failed', '/usr/bin/systemctl did not end within 30000 ms');
    };
    await home.resume({ checkpoint });
    await home.declare(await siteOf(home, 'b.example'));
    await until(
      'it serves',
      async () => (await home.get('b.example').catch(() => null))?.body === 'b.example',
    );
    await until('it is told', () => lastReport()?.result === 'changed');
    const results = home.unitReports().map(({ result, error }) => [result, error?.code]);
    expect(results).toContainEqual(['failed', 'systemd-failed']);
    expect(results.flat()).not.toContain('rolledBack');
    expect(home.unitReports().flatMap(({ held }) => held ?? [])).toEqual([]);
  });
});

const pidFile = () => join(home.paths.run, 'web-nginx.pid');

describe('a checker', () => {
  /** A new site under a policy whose checker is this command. */
  async function under(run: string[], executables: Record<string, string>, timeout = '5s') {
    home = await webHome({
      parts: { executables: createExecutables({ nginx: '/usr/sbin/nginx', ...executables }) },
    });
    await home.declare(await siteOf(home, 'a.example'));
    const { digest } = await home.settled();
    const policy = await webPolicy((spec) => {
      spec.validate = { run, timeout };
    });
    await home.declare(policy, await siteOf(home, 'b.example'));
    await until('it is told', () => lastReport()?.error !== undefined);
    await serves();
    return { report: lastReport(), digest };
  }

  it('[2 bad input] that is missing is told with its step, and the old tree still serves', async () => {
    const { report, digest } = await under(['gone'], { gone: '/nowhere/gone' });
    expect(report).toMatchObject({
      result: 'held',
      step: 'validate',
      error: { code: 'command-missing' },
      digest,
    });
  });

  it('[2 bad input] that hangs is ended with all that it had started, and the old tree still serves', async () => {
    const script = join('/tmp', `evenkeel-hang-${process.pid}.sh`);
    writeFileSync(script, '#!/bin/sh\nsleep 987654 &\nsleep 987654\n');
    chmodSync(script, 0o755);
    const { report, digest } = await under(['hang'], { hang: script }, '300ms');
    expect(report).toMatchObject({
      result: 'held',
      step: 'validate',
      error: { code: 'command-timeout' },
      digest,
    });
    await home.stop();
    const left = () => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes('sleep 987654');
    await until('nothing of it is left', () => !left());
    execFileSync('rm', [script]);
    await home.resume();
  });

  it('[2.5] that root has not put on the list of the box is not run', async () => {
    const { report, digest } = await under(['/bin/touch', '/tmp/evenkeel-was-here'], {});
    expect(report).toMatchObject({
      result: 'held',
      step: 'validate',
      error: { code: 'executable-refused' },
      digest,
    });
    expect(existsSync('/tmp/evenkeel-was-here')).toBe(false);
  });
});

describe('a daemon that keeps dying', () => {
  it('[2.5] is started again with longer and longer pauses', async () => {
    await begin();
    const starts: number[] = [];
    for (let time = 0; time < 3; time += 1) {
      const pid = home.pid();
      process.kill(pid, 'SIGKILL');
      await until(
        'another one runs',
        () => existsSync(pidFile()) && readFileSync(pidFile(), 'utf8').trim() !== String(pid),
        15_000,
      );
      await serves();
      // One that dies while it is still being started gets its second try at once.
      await home.units().idle();
      // In ticks of 10 ms, as the kernel counts them.
      starts.push((processOf(home.pid())?.started ?? 0) * 10);
    }
    const [, second = 0, third = 0] = starts;
    expect(third - second).toBeGreaterThan(1_500);
  }, 60_000);
});
