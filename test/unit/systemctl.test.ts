/** Questions to systemd, with its own programs played by scripts: one that hangs or refuses says nothing about a daemon. */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSystemctl } from '../../agent/drivers/systemd/systemctl.ts';
import { systemClock } from '../../common/clock.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { until } from '../support/until.ts';

let folder: string;
let clock: ManualClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-systemctl-'));
  clock = createManualClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Each of the two programs as the text of a shell script. */
function played({ systemctl = 'exit 0', journalctl = 'exit 0' }, by = systemClock) {
  const programs = { systemctl: join(folder, 'systemctl'), journalctl: join(folder, 'journalctl') };
  for (const [name, body] of Object.entries({ systemctl, journalctl })) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return createSystemctl(by, programs);
}
const HANGS = () => `: >${join(folder, 'asked')}; exec sleep 60`;
const isAsked = () => until('it is asked', () => existsSync(join(folder, 'asked')));
/** Longer than anything is waited for. */
const LONG_MS = 120_000;

it.each(['show', 'readUnits', 'tell'] as const)(
  '[4.8] a systemd that does not answer in time to %s speaks against the box, not against what it was to start',
  async (what) => {
    const systemctl = played({ systemctl: HANGS() }, clock);
    const asked = {
      show: () => systemctl.show('evenkeel@nginx.service'),
      readUnits: () => systemctl.readUnits(),
      tell: () => systemctl.tell('start', 'evenkeel@nginx.service', 60_000),
    };
    const ended = expect(asked[what]()).rejects.toMatchObject({
      ...{ code: 'systemd-failed', retriable: true, message: expect.stringContaining('did not end within') },
    });
    await isAsked();
    await clock.advance(LONG_MS);
    await ended;
  },
);

it('[4.8] a systemd that refuses a question says so, and is not taken for one that knows of no daemon', async () => {
  const systemctl = played({ systemctl: 'echo "Failed to connect to bus: Connection refused" >&2; exit 1' });
  const refused = { code: 'systemd-failed', message: expect.stringContaining('Failed to connect to bus') };
  await expect(systemctl.show('evenkeel@nginx.service')).rejects.toMatchObject(refused);
  await expect(systemctl.readUnits()).rejects.toMatchObject(refused);
});

it('[4.8] a box without systemctl says that of the box', async () => {
  const systemctl = createSystemctl(systemClock, {
    systemctl: '/nowhere/systemctl',
    journalctl: '/nowhere/j',
  });
  await expect(systemctl.tell('start', 'evenkeel@nginx.service', 1000)).rejects.toMatchObject({
    code: 'systemd-failed',
  });
  expect(await systemctl.said('evenkeel@nginx.service', 'abc')).toBe('');
});

it('[4.8] words that the journal does not give in time are left out, and those that it gives are told', async () => {
  const systemctl = played(
    { journalctl: `case "$*" in --sync) ${HANGS()} ;; *_SYSTEMD*) echo 'no such port' ;; esac` },
    clock,
  );
  const said = systemctl.said('evenkeel@nginx.service', 'abc');
  await isAsked();
  // Not so long that the next question would have no time either.
  await clock.advance(31_000);
  expect(await said).toBe('no such port');
});
