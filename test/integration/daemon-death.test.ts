/** A daemon that dies: seen at once, asked after at once, and told when it is missed; one that its own agent ends is not. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { createDeaths } from '../../agent/converge/deaths.ts';
import { createRunCheck, type RunCheck } from '../../agent/probe/check.ts';
import { createProbes } from '../../agent/probe/probes.ts';
import { createChecks } from '../../agent/wiring/checks.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { membersOf, processOf } from '../../common/processes.ts';
import type { ResolvedCheck, ResolvedService } from '../../common/render/resolved.ts';
import { createManualClock } from '../support/clock.ts';
import { type Home, siteOf, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

const log = createLog('test', 'silent');

describe('[3.2] the daemons of units', () => {
  const service = { name: 'nginx' } as ResolvedService;

  /** A box of which the test says who runs. */
  function watched() {
    const clock = createManualClock();
    const box = { pid: 11 as number | null, there: new Set([11]), proofs: 0 };
    const said: string[] = [];
    const deaths = createDeaths({
      pidOf: () => {
        box.proofs += 1;
        return box.pid;
      },
      isThere: (pid) => box.there.has(pid),
      died: () => said.push(`died at ${clock.monotonic()}`),
      gone: () => said.push(`gone at ${clock.monotonic()}`),
      clock,
    });
    deaths.watch('web', service);
    deaths.start();
    return { clock, box, said, deaths };
  }

  it('are missed within a tenth of a second, and once; whoever starts them is asked twice a second', async () => {
    const { clock, box, said } = watched();
    await clock.advance(1_050);
    box.pid = null;
    box.there.clear();
    await clock.advance(1_000);
    expect(said).toEqual(['died at 1100', 'gone at 1100', 'gone at 1500', 'gone at 2000']);
  });

  it('are proven twice a second, and looked at in one file in between', async () => {
    const { clock, box, said } = watched();
    const before = box.proofs;
    await clock.advance(10_000);
    expect(box.proofs - before).toBe(20);
    // Its number now belongs to somebody else.
    box.pid = null;
    await clock.advance(500);
    expect(said).toEqual(['died at 10500', 'gone at 10500']);
  });

  it('that are another process now have not died, nor have those of a unit that is gone', async () => {
    const { clock, box, said, deaths } = watched();
    box.pid = 12;
    box.there = new Set([12]);
    await clock.advance(1_000);
    deaths.watch('web', null);
    box.pid = null;
    box.there.clear();
    await clock.advance(1_000);
    expect(said).toEqual([]);
  });
});

it('[3.2] a daemon that is left as a zombie is dead', async () => {
  // Its parent is a shell that never asks after it.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const pid = Number(String((await once(parent.stdout, 'data'))[0]));
  // Until then it is a shell, which asks after its child.
  const parentIs = () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8').trim();
  await until('the parent is sleep', () => parentIs() === 'sleep');
  const clock = createManualClock();
  const said: string[] = [];
  const deaths = createDeaths({
    ...{ pidOf: () => (processOf(pid) === null ? null : pid), clock },
    ...{ died: () => said.push(`died at ${clock.monotonic()}`), gone: () => undefined },
  });
  deaths.watch('web', { name: 'sleep' } as ResolvedService);
  deaths.start();
  await clock.advance(50);
  process.kill(pid, 'SIGKILL');
  await until('it is a zombie', () => processOf(pid) === null);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  await clock.advance(100);
  expect(said).toEqual(['died at 100']);
});

describe('[3.2] checks of a unit whose daemon is gone', () => {
  const timing = { interval: 10_000, timeout: 500, fall: 3, rise: 2 };
  const checks: ResolvedCheck[] = [
    { ...timing, name: 'http', type: 'tcp', address: '127.0.0.1', port: 1 },
    { ...timing, name: 'disk', type: 'disk', path: '/', freeBytes: 1, freeInodesPercent: 1 },
  ] as ResolvedCheck[];

  async function asked(lasts = 0) {
    const clock = createManualClock();
    const box = { ok: true, runs: [] as string[] };
    const said: string[] = [];
    const runCheck: RunCheck = async ({ name }, { signal }) => {
      const { ok } = box;
      if (lasts > 0) await clock.sleep(lasts, signal);
      box.runs.push(`${name} at ${clock.monotonic()}`);
      return { ok, detail: '' };
    };
    const probes = createProbes({ clock, log, runCheck, random: () => 0 });
    probes.onChange((_, check, state) => said.push(`${check} ${state} at ${clock.monotonic()}`));
    probes.set('web', checks);
    await clock.advance(15_000);
    box.runs.length = 0;
    said.length = 0;
    return { clock, box, said, probes };
  }

  it('run at once, and are believed the first time when they fail; those of the box go on as they do', async () => {
    const { clock, box, said, probes } = await asked();
    box.ok = false;
    probes.confirm('web');
    await clock.advance(1);
    expect([box.runs, said]).toEqual([['http at 15000'], ['http down at 15000']]);
    box.ok = true;
    await clock.advance(30_000);
    expect(said).toEqual(['http down at 15000', 'http up at 35000']);
  });

  it('say nothing when it is not missed, and later count as ever', async () => {
    const { clock, box, said, probes } = await asked();
    probes.confirm('web');
    await clock.advance(1);
    box.ok = false;
    await clock.advance(20_000);
    expect(said).toEqual([]);
    await clock.advance(10_000);
    expect(said).toEqual(['disk down at 40000', 'http down at 45000']);
  });

  it('that run just then are asked once more, since their answer may be older', async () => {
    const { clock, box, said, probes } = await asked(400);
    await clock.advance(5_000 + 100);
    box.ok = false;
    probes.confirm('web');
    await clock.advance(1_000);
    expect(said).toEqual(['http down at 20800']);
  });
});

describe('[3.2] a node whose daemon dies', () => {
  let home: Home;
  let end = async () => {};
  afterEach(async () => {
    await end();
    await home.end();
  });

  /** As the agent puts them together, with checks that would not notice within a minute. */
  async function begin(clock = systemClock) {
    const said: string[] = [];
    const died: string[] = [];
    const runCheck = createRunCheck({ clock: systemClock, resolve: (command) => [...command] });
    const checks = createChecks({
      runCheck,
      report: (body) => body.type === 'check' && said.push(`${body.unit}/${body.check} ${body.state}`),
      failed: () => undefined,
      ...{ clock: systemClock, log },
    });
    const hooks = {
      beforeReload: async () => undefined,
      reloaded: () => undefined,
      died: (unit: string) => {
        died.push(unit);
        checks.confirm(unit);
      },
      serving: (unit: string, resolved: ResolvedCheck[] | null) => checks.set(unit, resolved ?? []),
    };
    end = checks.stop;
    home = await webHome({ parts: { hooks, clock } });
    const policyWith = (more: string[]) =>
      webPolicy((spec) => {
        spec.checks = spec.checks
          .filter(({ name }) => name === 'http')
          .map((check) => ({ ...check, interval: '60s', fall: 2, rise: 1 }));
        if (spec.service) spec.service.start = [...spec.service.start, ...more];
      });
    await home.declare(await policyWith([]), await siteOf(home, 'a.example'));
    await home.settled();
    await until('its check is up', () => said.includes('web-nginx/http up'));
    return { said, died, policyWith };
  }

  it('says at once that it does not serve, long before its check would be due', async () => {
    const { said } = await begin();
    const pid = home.pid();
    for (const member of [pid, ...membersOf(pid).map((one) => one.pid)]) process.kill(member, 'SIGKILL');
    await until('it is said', () => said.includes('web-nginx/http down'), 20_000);
  });

  it('because its own agent starts it anew, by other words or after a reload, has not died', async () => {
    // Looked at so often that no moment between two daemons is missed.
    const { said, died, policyWith } = await begin({
      ...systemClock,
      every: (ms, call) => systemClock.every(ms / 50, call),
    });
    const pid = home.pid();
    await home.declare(await policyWith(['-g', 'worker_priority 1;']));
    await home.settled();
    expect(home.pid()).not.toBe(pid);
    await home.declare(await siteOf(home, 'b.example'));
    await home.settled();
    await home.remove({ kind: 'Policy', name: 'web-nginx' });
    await home.units().idle();
    expect([died, said.filter((line) => line === 'web-nginx/http down')]).toEqual([[], []]);
  });
});
