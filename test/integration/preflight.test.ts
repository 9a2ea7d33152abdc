/** Preflight from end to end: a box asks the manager before anything is changed, and one that does not fit is refused. */
import { join as pathOf } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { join, parseJoinString } from '../../agent/identity.ts';
import { createBox } from '../../agent/preflight/box.ts';
import { shownAs } from '../../agent/preflight/command.ts';
import { lookOf } from '../../agent/preflight/look.ts';
import { type Preflight, preflight } from '../../agent/preflight/preflight.ts';
import { systemClock } from '../../common/clock.ts';
import { VERSION } from '../../common/version.ts';
import { createPki, initPki } from '../../manager/pki/pki.ts';
import { loadShipped } from '../../manager/shipped.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import type { Facts } from '../../protocol/messages.ts';
import { declare } from '../support/api.ts';
import { quiet, temporaryFolder } from '../support/courier.ts';
import { freePort } from '../support/home.ts';
import { startJoinDoor } from '../support/join-door.ts';
import { boxOf, type Recorded } from '../unit/preflight/boxes.ts';

const LOOPBACK = [{ device: 'lo', address: '127.0.0.1', prefix: 8 }];

let folder: string;
let remove: () => Promise<void>;
let door: Awaited<ReturnType<typeof startJoinDoor>>;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  await initPki({ folder: pathOf(folder, 'pki'), clock: systemClock });
  const pki = await createPki({
    folder: pathOf(folder, 'pki'),
    address: '127.0.0.1',
    clock: systemClock,
    log: quiet,
  });
  door = await startJoinDoor({ file: pathOf(folder, 'store.sqlite'), pki, machinesPort: 1 });
  // Not the usual one: the box learns it from the manager, and opens it then.
  const health = { port: await freePort('127.0.0.1') };
  await declare(door.store, [
    { kind: 'Cluster', name: 'cluster', spec: { address: '127.0.0.1', balancer: 'haproxy', health } },
    ...(await loadShipped(pathOf(import.meta.dirname, '../..'))),
  ]);
});
afterEach(async () => {
  await door.stop();
  await remove();
});

const invite = async (body: object = {}) =>
  (await door.join.invite({ roles: ['web'], parameters: {}, hours: 24, approve: false, ...body }, 'op')).join;

async function asked(string: string, recorded: Recorded = {}, name = 'web1') {
  const { listen } = createBox();
  const box = { ...boxOf({ addresses: LOOPBACK, ...recorded }), now: Date.now, listen };
  const look = await lookOf(box);
  const facts: Facts = {
    ...{ hostname: 'box', os: 'Debian 12', arch: 'x64', agent: VERSION, protocol: 1, address: '127.0.0.1' },
    ...{ paths: { state: '/srv/state', run: '/srv/run', log: '/srv/log' }, box: look },
  };
  const own = { box, look, service: 'direct' } as const;
  const result = await preflight({ ...own, invitation: parseJoinString(string), name, facts });
  return { result, facts };
}
const stateOf = ({ checks }: Preflight, name: string) => checks.find((one) => one.name === name)?.state;

describe('[4.3] agent preflight', () => {
  it('tells all checks of box and manager in one list, and leaves the invitation and the box as they were', async () => {
    const string = await invite();
    const { result } = await asked(string);
    const names = [
      'os',
      'arch',
      'version',
      'clock',
      'addresses',
      'segment',
      'ports-out',
      'ports-in',
      'ports-taken',
    ];
    const more = [
      'other-agent',
      'disk',
      'home-layout',
      'kernel-modules',
      'nfs',
      'quota',
      'packages',
      'systemd',
      'vip-on-lo',
    ];
    expect(result.checks.map(({ name }) => name)).toEqual([...names, ...more]);
    expect(stateOf(result, 'ports-in')).toBe('pass');
    expect(door.join.invites()).toMatchObject([{ state: 'open' }]);
    expect(door.store.view().Node.size).toBe(0);
  });

  it('names the packages of the roles that are missing, one a line for a shell and as JSON', async () => {
    const { result } = await asked(await invite());
    expect(result.packages).toEqual({
      wanted: ['kmod', 'nfs-common', 'nginx'],
      missing: ['kmod', 'nfs-common', 'nginx'],
      command: 'apt-get install -y --no-install-recommends kmod nfs-common nginx',
    });
    const plain = (_: unknown, text: string) => text;
    const lines = shownAs(result, { json: false, missingPackages: true }, plain);
    expect(lines).toBe('kmod\nnfs-common\nnginx\n');
    const json = shownAs(result, { json: true, missingPackages: false }, plain);
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(result)));
  });

  it('ends well with a warning and badly with a failure, with the fix and the command below the line', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills it in
    const dpkg = 'dpkg-query -W -f=${db:Status-Status} ${Package}\\n kmod nfs-common nginx';
    const runs = { [dpkg]: { status: 1, output: 'installed kmod\ninstalled nginx\n' } };
    const { result } = await asked(await invite(), { runs });
    const text = (of: Preflight) => shownAs(of, { json: false, missingPackages: false }, (_, shown) => shown);
    expect(text(result)).toContain(`
warn  packages        not installed: nfs-common
                      daemons of its roles could not start
                      fix: install.sh installs them; by hand, keep their daemons off
                      $ apt-get install -y --no-install-recommends nfs-common
`);
    expect(text(result)).toMatch(/\n\n14 pass, 1 warn, 0 fail, 3 skip; this box fits\n$/);
    const full = { space: { free: 1, inodes: 0, freeInodes: 0 } };
    const { result: wrong } = await asked(await invite(), full);
    expect(text(wrong)).toMatch(/1 fail, .*; this box does not fit yet: nothing was changed\n$/);
    expect([result.ok, wrong.ok]).toEqual([true, false]);
  });

  it('opens nothing to a string that was altered or taken back, and still says how the box is', async () => {
    const string = await invite();
    const [made] = door.join.invites();
    await door.join.uninvite(made!.id, 'op');
    const { result } = await asked(string);
    const refusal = result.checks.find(({ name }) => name === 'invitation');
    expect(refusal).toMatchObject({ state: 'fail', found: expect.stringContaining('invite-invalid: ') });
    expect([stateOf(result, 'disk'), stateOf(result, 'packages'), result.judged]).toEqual([
      'pass',
      'skip',
      false,
    ]);
    expect(door.refused).toMatchObject([{ code: 'invite-invalid' }]);
  });
});

describe('[4.3] joining', () => {
  it('refuses a box that fails a check with every one of them and its fix, and the invitation stays open', async () => {
    await declare(door.store, [{ kind: 'Node', name: 'web9', spec: { address: '127.0.0.1' } }]);
    const string = await invite();
    const { facts } = await asked(string);
    const folderOf = (name: string) => pathOf(folder, name, 'identity');
    const late = { ...facts, box: { ...facts.box!, clock: Date.now() - 3 * 86_400_000 } };
    const refused: EvenkeelError = await join(string, {
      name: 'web1',
      facts: late,
      folder: folderOf('a'),
    }).then(
      () => Promise.reject(new Error('it was not refused')),
      (err: EvenkeelError) => err,
    );
    expect(refused.code).toBe('preflight-failed');
    expect(refused.problems).toMatchObject([
      { path: 'clock', message: '72 h behind the manager', fix: expect.stringContaining('NTP') },
      { path: 'addresses', message: '127.0.0.1 is that of the node web9', fix: expect.any(String) },
    ]);
    expect(door.store.view().Node.has('web1')).toBe(false);
    expect(door.join.invites()).toMatchObject([{ state: 'open' }]);
    await join(string, { name: 'web1', facts: { ...facts, address: '127.0.0.2' }, folder: folderOf('a') });
    expect(door.store.view().Node.get('web1')?.spec.system).toEqual({ os: 'debian 12', arch: 'x64' });
  });
});
