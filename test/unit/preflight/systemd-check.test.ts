/** The check systemd, on recorded boxes: whether what is to start the daemons is there, answers and is new enough. */
import { expect, it } from 'vitest';
import type { Ran } from '../../../agent/preflight/box.ts';
import { systemd } from '../../../agent/preflight/checks/systemd.ts';
import { askedOf, type Recorded } from './boxes.ts';

const SYSTEMD = { files: { '/proc/1/comm': 'systemd\n' } };
const BOOKWORM = '252 (252.22-1~deb12u1)';
/** A box where systemd is the init: what it says of the system, and how it calls itself. */
const booted = (state: Ran, version = BOOKWORM): Recorded => ({
  ...SYSTEMD,
  runs: {
    'systemctl --version': { status: 0, output: `systemd ${version}\n+PAM +AUDIT\n` },
    'systemctl is-system-running': state,
  },
});
const says = (state: string): Ran => ({ status: state === 'running' ? 0 : 1, output: `${state}\n` });

it.each<[title: string, state: string, found: RegExp, recorded: Recorded]>([
  ['a systemd that runs', 'pass', /^systemd 252 is running$/, booted(says('running'))],
  ['one with a unit that failed', 'pass', /is degraded/, booted(says('degraded'))],
  ['one that has not started everything', 'warn', /is starting/, booted(says('starting'))],
  ['one that has hardly begun', 'warn', /is initializing/, booted(says('initializing'))],
  ['one that is going down', 'warn', /is stopping/, booted(says('stopping'))],
  ['one in its rescue mode', 'fail', /is maintenance/, booted(says('maintenance'))],
  ['one that does not answer in time', 'fail', /does not answer/, booted({ status: null, output: '' })],
  ['one that cannot be reached', 'fail', /says of itself: offline/, booted(says('offline'))],
  ['one without all that units say', 'warn', /239 is older than 246/, booted(says('running'), '239 (el8)')],
  ['one that is too old', 'fail', /systemd 219, and units need 232/, booted(says('running'), '219')],
  ['another init', 'fail', /process 1 is docker-init/, { files: { '/proc/1/comm': 'docker-init\n' } }],
  ['no systemctl', 'fail', /unknown version/, SYSTEMD],
])('[4.3] %s is %s', async (_, state, found, recorded) => {
  const finding = await systemd(askedOf(recorded, { service: 'systemd' }));
  expect(finding).toMatchObject({ name: 'systemd', state, found: expect.stringMatching(found) });
  if (state !== 'pass') expect(finding).toMatchObject({ why: expect.any(String), fix: expect.any(String) });
});

it('[4.3] nobody asks for it where the agent itself starts the daemons', async () => {
  expect(await systemd(askedOf({ files: { '/proc/1/comm': 'sh\n' } }))).toMatchObject({ state: 'skip' });
});
