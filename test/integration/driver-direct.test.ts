/** The direct driver with daemons of our own making: scripts that go to the background in good and in bad ways. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectDriver } from '../../agent/drivers/direct.ts';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { processOf, runs } from '../../common/processes.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { quiet } from '../support/courier.ts';
import { until } from '../support/until.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-direct-'));
});
afterEach(() => {
  for (const pid of daemons()) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Who runs this test's daemon: its folder is its own, and so are they. */
const daemons = () =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && processOf(pid) !== null && runs(pid, join(folder, 'daemon')));
const pidOf = (file: string) => Number(readFileSync(join(folder, file), 'utf8'));
/** Dead also while its parent, this process, has not yet looked: its remains keep their place in /proc until then. */
const lives = (pid: number | null | undefined) => processOf(pid ?? 0) !== null;

function daemonOf(script: string, logFolder = folder) {
  const path = join(folder, 'daemon');
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const executables = createExecutables({ daemon: path });
  const run = createRun({ executables, clock });
  const driver = createDirectDriver({ executables, run, logFolder, clock, log: quiet });
  const service: ResolvedService = {
    name: 'daemon',
    start: ['daemon', join(folder, 'pid')],
    reload: { signal: 'SIGHUP' },
    stop: { signal: 'SIGTERM' },
    pidFile: join(folder, 'pid'),
    sockets: [],
    timeout: 60_000,
  };
  return { driver, service };
}

it('[3.7] a daemon that stays in the foreground gets its pid file, is found again, and is ended', async () => {
  const { driver, service } = daemonOf('exec sleep 60');
  const staying: ResolvedService = { ...service, start: ['sleeper', '60'], foreground: true };
  const executables = createExecutables({ sleeper: '/bin/sleep' });
  const run = createRun({ executables, clock });
  const own = createDirectDriver({ executables, run, logFolder: folder, clock, log: quiet });
  await own.apply(staying, ['start']);
  const { pid } = own.read(staying);
  expect(pid).toBe(pidOf('pid'));
  expect(
    createDirectDriver({ executables, run, logFolder: folder, clock, log: quiet }).read(staying).pid,
  ).toBe(pid);
  await own.apply(staying, ['stop']);
  expect(lives(pid)).toBe(false);
  expect(driver.read(service).pid).toBeNull();
});

describe('[2.5] a daemon that goes to the background', () => {
  it('and ends there is told at once, long before its time to start is over', async () => {
    const { driver, service } = daemonOf('exit 0');
    await expect(driver.apply(service, ['start'])).rejects.toThrow('went to the background and ended there');
  });

  it('and ends there with its pid file written is told at once', async () => {
    const { driver, service } = daemonOf('echo $$ > "$1"; exit 0');
    await expect(driver.apply(service, ['start'])).rejects.toThrow('went to the background and ended there');
  });

  it('is waited for while it lives, though it writes its pid file late', async () => {
    const { driver, service } = daemonOf(`
      [ "$2" = on ] || { setsid "$0" "$1" on & exit 0; }
      sleep 0.4; echo $$ > "$1"
      while :; do sleep 0.1; done`);
    await driver.apply(service, ['start']);
    expect(driver.read(service).pid).toBe(Number(readFileSync(service.pidFile, 'utf8')));
    await driver.apply(service, ['stop']);
    expect(driver.read(service).pid).toBeNull();
  });
});

describe('[2 bad input] the driver', () => {
  const stays = 'echo $$ > "$1"; while :; do sleep 0.1; done';
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });
  /** Runs the same executable, as another one would who uses it too. */
  const stranger = (...args: string[]) => {
    const child = spawn(join(folder, 'daemon'), args, { stdio: 'ignore' });
    started.push(child);
    return child;
  };

  it('never signals a stranger of the same executable whose pid came into its pid file', async () => {
    const { driver, service } = daemonOf(stays);
    const { pid } = stranger(join(folder, 'other'));
    await until('the stranger runs', () => existsSync(join(folder, 'other')));
    writeFileSync(service.pidFile, `${pid}\n`);
    expect(driver.read(service).pid).toBeNull();
    await driver.apply(service, ['stop']);
    await expect(driver.apply(service, ['reload'])).rejects.toThrow('does not run');
    await driver.apply(service, ['start']);
    const own = driver.read(service).pid;
    expect(own).not.toBe(pid);
    writeFileSync(service.pidFile, `${pid}\n`);
    await driver.apply(service, ['stop']);
    expect([lives(pid), lives(own)]).toEqual([true, false]);
  });

  it('knows its daemon again though what proves it is lost', async () => {
    const { driver, service } = daemonOf(stays);
    await driver.apply(service, ['start']);
    const { pid } = driver.read(service);
    rmSync(`${service.pidFile}.started`);
    expect(driver.read(service).pid).toBe(pid);
    mkdirSync(`${service.pidFile}.started`);
    expect(driver.read(service).pid).toBe(pid);
    rmSync(join(folder, 'daemon'));
    expect(() => driver.read(service)).not.toThrow();
  });

  it('gives a daemon its pid file back that a hand has deleted or written over, and ends it without', async () => {
    const { driver, service } = daemonOf(`trap 'echo >> "$1.reloads"' HUP; ${stays}`);
    await driver.apply(service, ['start']);
    const { pid } = driver.read(service);
    for (const hand of [
      () => rmSync(service.pidFile),
      () => writeFileSync(service.pidFile, `${process.pid}\n`),
    ]) {
      hand();
      expect(driver.read(service).pid).toBeNull();
      await driver.apply(service, ['start']);
      expect(driver.read(service).pid).toBe(pid);
    }
    await until('it was told to reload', () => existsSync(`${service.pidFile}.reloads`));
    rmSync(service.pidFile);
    await driver.apply(service, ['stop']);
    expect(lives(pid)).toBe(false);
  });

  it('waits for no pipe that somebody has put in the place of its files', async () => {
    const { driver, service } = daemonOf(stays);
    for (const file of [service.pidFile, `${service.pidFile}.started`, join(folder, 'daemon.out')])
      execFileSync('mkfifo', [file]);
    expect(driver.read(service).pid).toBeNull();
    await driver.apply(service, ['start']);
    expect(driver.read(service).pid).not.toBeNull();
    await driver.apply(service, ['stop']);
  });

  /** Goes to the background into a session of its own, with a worker that shows another command. */
  const withWorker = (tells: string) => `
      case "$2" in
      '') setsid "$0" "$1" on & exit 0;;
      on) "$0" "$1" worker & trap 'exit 0' TERM; ${tells};;
      worker) echo $$ > "$1.worker"; trap '' HUP;;
      esac
      while :; do sleep 0.1; done`;

  it('leaves nothing running of a daemon that never wrote its pid file, nor of its workers', async () => {
    const { driver, service } = daemonOf(withWorker('echo $$ > "$1.elsewhere"'));
    await expect(driver.apply({ ...service, timeout: 1_000 }, ['start'])).rejects.toThrow('wrote no');
    expect([pidOf('pid.elsewhere'), pidOf('pid.worker')].map(lives)).toEqual([false, false]);
    expect(daemons()).toEqual([]);
  });

  it('ends the workers of its killed daemon, whatever number a hand has put into its pid file', async () => {
    const { driver, service } = daemonOf(withWorker('echo $$ > "$1"'));
    for (const what of ['start', 'stop'] as const) {
      await driver.apply(service, ['start']);
      await until('its worker runs', () => existsSync(join(folder, 'pid.worker')));
      const [own, worker] = [pidOf('pid'), pidOf('pid.worker')];
      writeFileSync(service.pidFile, '4194305\n'); // more than any pid can be
      process.kill(own, 'SIGKILL');
      await until('it has ended', () => !lives(own));
      expect(lives(worker)).toBe(true);
      rmSync(join(folder, 'pid.worker'));
      await driver.apply(service, [what]);
      expect(lives(worker)).toBe(false);
      await driver.apply(service, ['stop']);
    }
  });

  it.each([
    ['nothing', []],
    ['a word', ['first']],
  ])(
    'ends no stranger of the same executable after a failed start with %s for arguments',
    async (_, args) => {
      const { driver, service } = daemonOf('while :; do sleep 0.1; done');
      const start: ResolvedService['start'] = ['daemon', ...args];
      const failed = driver.apply({ ...service, start, timeout: 800 }, ['start']).catch(String);
      await until('it is being started', () => existsSync(join(folder, 'daemon.out')));
      const strangers = [stranger(...args), stranger(...args, 'more'), stranger('first-of-all')];
      expect(await failed).toContain('wrote no');
      expect(strangers.map(({ pid }) => lives(pid))).toEqual([true, true, true]);
      expect(daemons().sort()).toEqual(strangers.map(({ pid }) => pid).sort());
    },
  );

  it('takes nobody for its daemon whose command only begins as its own', async () => {
    const { driver, service } = daemonOf('while :; do sleep 0.1; done');
    for (const start of [['daemon'], ['daemon', 'first']] as ResolvedService['start'][]) {
      const { pid } = stranger(...start.slice(1), 'more');
      await until('the stranger runs', () => runs(pid ?? 0, join(folder, 'daemon')));
      writeFileSync(service.pidFile, `${pid}\n`);
      expect(driver.read({ ...service, start }).pid).toBeNull();
    }
  });

  it('says the end of what a daemon flooded its output with', async () => {
    const { driver, service } = daemonOf('head -c 60000000 /dev/zero | tr "\\0" x; echo the reason; exit 7');
    const failure = await driver.apply(service, ['start']).catch((err: unknown) => String(err));
    expect(failure).toContain('the reason');
    expect(String(failure).length).toBeLessThan(6_000);
  });

  it('makes the folder of its logs again', async () => {
    const { driver, service } = daemonOf(stays, join(folder, 'log'));
    await driver.apply(service, ['start']);
    expect(existsSync(join(folder, 'log', 'daemon.out'))).toBe(true);
    await driver.apply(service, ['stop']);
  });
});
