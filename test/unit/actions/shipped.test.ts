/** The shipped actions with hostile values: what is meant to install never removes, and what an operator may start is no way to reboot. */
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { valuesOf } from '../../../common/actions/values.ts';
import { argumentsOf } from '../../../common/actions/words.ts';
import { loadShipped } from '../../../manager/shipped.ts';
import type { ResourceOf } from '../../../protocol/resource.ts';

let shipped: Map<string, ResourceOf<'Action'>['spec']>;
beforeAll(async () => {
  const all = await loadShipped(join(import.meta.dirname, '../../..'));
  shipped = new Map(all.flatMap((one) => (one.kind === 'Action' ? [[one.name, one.spec]] : [])));
});

const specOf = (name: string) => {
  const spec = shipped.get(name);
  if (!spec) throw new Error(`no action ${name} is shipped`);
  return spec;
};
/** Whether the value is taken, alone. */
const takes = (action: string, name: string, value: string) =>
  valuesOf(specOf(action).parameters, { [name]: value }, 'parameters').ok;

it('[5.1] package-install takes the names of packages and nothing that apt reads as the wish to remove one', () => {
  const taken = (value: string) => takes('package-install', 'packages', value);
  expect(['g++', 'libstdc++6', 'python3.11', 'a', '0ad', 'libc6-dev'].filter((one) => !taken(one))).toEqual(
    [],
  );
  expect(
    ['haproxy-', 'htop,haproxy-', 'g++-', '-x', 'a.*', 'a=1', 'a/b', 'a:b', 'mail-server^'].filter(taken),
  ).toEqual([]);
});

it('[5.1] package-install ends where apt would have to remove something, and looks for no name that is an expression', () => {
  const { run = [] } = specOf('package-install');
  const words = argumentsOf(run, { packages: ['htop'] });
  expect(words.slice(words.indexOf('--'))).toEqual(['--', 'htop']);
  expect(words.slice(0, words.indexOf('--'))).toEqual(
    expect.arrayContaining(['--no-remove', '--option=APT::Cmd::Pattern-Only=true']),
  );
});

it.each(['service-start', 'service-stop', 'service-restart', 'service-reload'])(
  '[5.1] %s is for services of the distribution: not for those of Evenkeel, and not for what brings the box down',
  (action) => {
    const taken = (value: string) => takes(action, 'service', value);
    const good = ['postfix', 'getty@tty1', 'systemd-timesyncd', 'php8.2-fpm', 'packagekit'];
    expect(good.filter((one) => !taken(one))).toEqual([]);
    const down = [
      'reboot',
      'soft-reboot',
      'poweroff',
      'halt',
      'kexec',
      'suspend',
      'suspend-then-hibernate',
      'exit',
    ];
    const bad = [
      'evenkeel-agent',
      '*',
      'a*',
      '-H',
      'a/b',
      'debug-shell',
      'rescue',
      'emergency',
      'initrd-switch-root',
      'packagekit-offline-update',
      'systemd-sysupdate-reboot',
      ...down,
      ...down.map((one) => `systemd-${one}`),
    ];
    expect(bad.filter(taken)).toEqual([]);
  },
);

it('[5.1] dnf-install takes names: no group, no file, no address and no expression', () => {
  const taken = (value: string) => takes('dnf-install', 'packages', value);
  expect(['gcc-c++', 'NetworkManager', 'python3.11', 'htop.x86_64'].filter((one) => !taken(one))).toEqual([]);
  expect(['-x', '@mail', 'a*', 'a=1', '/a.rpm', 'http://a/b', 'a;b'].filter(taken)).toEqual([]);
});

it('[5.1] unit-restart and unit-reload take the name of a unit', () => {
  for (const action of ['unit-restart', 'unit-reload']) {
    expect(takes(action, 'unit', 'web-nginx')).toBe(true);
    expect(['../x', '-x', 'A', '*', ''].filter((value) => takes(action, 'unit', value))).toEqual([]);
  }
});

it('[5.1] log-tail stays below /var/log', () => {
  const taken = (value: string) => takes('log-tail', 'file', value);
  expect(['mail.log', 'nginx/error.log.1'].filter((one) => !taken(one))).toEqual([]);
  expect(['../shadow', 'a/../../shadow', '/etc/shadow', '.hidden', 'a b'].filter(taken)).toEqual([]);
});

it.each(['package-install', 'package-upgrade'])(
  '[5.1] %s asks nobody which file to keep where one was changed by hand: it stays',
  (action) => {
    const { run = [], environment } = specOf(action);
    expect(run).toContain('--option=Dpkg::Options::=--force-confold');
    expect(environment).toEqual({ DEBIAN_FRONTEND: 'noninteractive' });
  },
);
