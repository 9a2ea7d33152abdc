/** The direct driver with daemons of our own making: scripts that go to the background in good and in bad ways. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectDriver } from '../../agent/drivers/direct.ts';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { systemClock as clock } from '../../common/clock.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { quiet } from '../support/courier.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-direct-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function daemonOf(script: string) {
  const path = join(folder, 'daemon');
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const executables = createExecutables({ daemon: path });
  const run = createRun({ executables, clock });
  const driver = createDirectDriver({ executables, run, logFolder: folder, clock, log: quiet });
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
