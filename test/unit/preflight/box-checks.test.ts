/** Every check that a box makes of itself: once on a recorded box that passes, once on each that does not. */
import { describe, expect, it } from 'vitest';
import type { Asked } from '../../../agent/preflight/asked.ts';
import { createBox } from '../../../agent/preflight/box.ts';
import { lookedAt } from '../../../agent/preflight/checks.ts';
import { osIn } from '../../../agent/preflight/look.ts';
import type { Finding } from '../../../protocol/preflight.ts';
import {
  ALPINE,
  askedOf,
  DEBIAN,
  MOUNTS_DATA,
  MOUNTS_HOME,
  MOUNTS_NFS,
  type Recorded,
  ROCKY,
  TCP6_APACHE,
  UBUNTU,
} from './boxes.ts';

type More = Parameters<typeof askedOf>[1];

const look = async (name: string, asked: Asked): Promise<Finding | undefined> =>
  (await lookedAt(asked)).find((one) => one.name === name);

/** Whatever is wrong has its reason and its fix. */
const isHelpful = ({ state, why, fix }: Finding) =>
  state === 'pass' || state === 'skip' || (why !== undefined && fix !== undefined);

const MIB = 1024 ** 2;
const STORAGE = { name: 'home', server: 'nas', mountpoint: '/chroot/home', link: '/home' };
const MOUNTING = { modules: ['nfsv4'], storages: [STORAGE] };
const SERVING = {
  modules: ['nfsd'],
  storages: [{ name: 'home', server: 'nas', export: '/data/home', quotas: true }],
};
// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills it in
const DPKG = 'dpkg-query -W -f=${db:Status-Status} ${Package}\\n nginx quota';
const RPM = 'rpm -q --qf installed %{NAME}\\n nginx quota';
const PACKAGES = { packages: { debian: ['nginx', 'quota'], rhel: ['nginx', 'quota'] } };
const SETQUOTA = 'setquota -u 4294967290 0 0 0 0 /data';

const cases: [title: string, name: string, state: string, found: RegExp, Recorded, More?][] = [
  ['Debian', 'os', 'pass', /^debian 12$/, {}],
  ['Alpine', 'os', 'warn', /alpine 3\.20\.1 is neither/, { files: { '/etc/os-release': ALPINE } }],
  ['its own address', 'addresses', 'pass', /10\.0\.0\.13 is on this box/, {}],
  [
    'an address of nobody',
    'addresses',
    'fail',
    /10\.0\.0\.99 is not on this box; it has 10\.0\.0\.13 on eth0/,
    {},
    { address: '10.0.0.99' },
  ],
  [
    'ports that are free',
    'ports-taken',
    'pass',
    /free: 80, 2401/,
    {},
    { needs: { ports: [{ address: '*', port: 80, unit: 'web-nginx' }] } },
  ],
  [
    'Apache where nginx is to be',
    'ports-taken',
    'fail',
    /apache2 \(pid 612\) listens on \[::\]:80, which web-nginx needs/,
    { files: { '/proc/net/tcp6': TCP6_APACHE }, holders: { '21733': 'apache2 (pid 612)' } },
    { needs: { ports: [{ address: '10.0.0.13', port: 80, unit: 'web-nginx' }] } },
  ],
  ['a member, whose own daemons listen', 'ports-taken', 'skip', /is a node/, {}, { member: true }],
  ['room', 'disk', 'pass', /20480 MiB free/, {}],
  ['little room', 'disk', 'warn', /700 MiB free/, { space: { free: 700 * MIB, inodes: 0, freeInodes: 0 } }],
  ['no room', 'disk', 'fail', /100 MiB free/, { space: { free: 100 * MIB, inodes: 0, freeInodes: 0 } }],
  [
    'no inodes',
    'disk',
    'fail',
    /12 inodes left/,
    { space: { free: 9999 * MIB, inodes: 500_000, freeInodes: 12 } },
  ],
  ['ip_vs loaded', 'kernel-modules', 'pass', /has ip_vs/, {}, { needs: { modules: ['ip_vs'] } }],
  [
    'ip_vs that can be loaded',
    'kernel-modules',
    'pass',
    /has ip_vs/,
    { files: { '/proc/modules': '' }, runs: { 'modprobe -n -q ip_vs': { status: 0, output: '' } } },
    { needs: { modules: ['ip_vs'] } },
  ],
  [
    'a kernel without ip_vs',
    'kernel-modules',
    'fail',
    /6\.1\.0-18-amd64 lacks ip_vs/,
    { files: { '/proc/modules': '' }, runs: { 'modprobe -n -q ip_vs': { status: 1, output: '' } } },
    { needs: { modules: ['ip_vs'] } },
  ],
  [
    'a container whose host has not loaded it',
    'kernel-modules',
    'fail',
    /ip_vs is not loaded, and this is lxc/,
    {
      files: { '/proc/modules': '', '/run/systemd/container': 'lxc\n' },
      runs: { 'modprobe -n -q ip_vs': { status: 0, output: '' } },
    },
    { needs: { modules: ['ip_vs'] } },
  ],
  ['NFS in the kernel', 'nfs', 'pass', /has nfsv4/, {}, { needs: MOUNTING }],
  [
    'a kernel without NFS',
    'nfs',
    'fail',
    /lacks nfsv4/,
    { files: { '/proc/filesystems': '\text4\n' } },
    { needs: MOUNTING },
  ],
  [
    'the same where no storage is declared that it would mount',
    'nfs',
    'warn',
    /lacks nfsv4/,
    { files: { '/proc/filesystems': '\text4\n' } },
    { needs: { modules: ['nfsv4'] } },
  ],
  [
    'no server in the kernel',
    'nfs',
    'fail',
    /lacks nfsd/,
    { files: { '/proc/filesystems': 'nodev\tnfs4\n' } },
    { needs: SERVING },
  ],
  [
    'a file system with quotas',
    'quota',
    'pass',
    /\/data \(ext4\) counts quotas/,
    { files: { '/proc/self/mountinfo': MOUNTS_DATA('rw,quota,usrquota') } },
    { needs: SERVING },
  ],
  [
    'a file system without',
    'quota',
    'fail',
    /\/data \(ext4\) counts no quotas/,
    { files: { '/proc/self/mountinfo': MOUNTS_DATA('rw,noquota') } },
    { needs: SERVING },
  ],
  [
    'without, and nobody has a quota yet',
    'quota',
    'warn',
    /counts no quotas/,
    { files: { '/proc/self/mountinfo': MOUNTS_DATA('rw') } },
    { needs: { ...SERVING, storages: [{ ...SERVING.storages[0]!, quotas: false }] } },
  ],
  [
    'a member where they can be set',
    'quota',
    'pass',
    /can be set on \/data\/home/,
    {
      files: { '/proc/self/mountinfo': MOUNTS_DATA('rw,usrquota') },
      runs: { [SETQUOTA]: { status: 0, output: '' } },
    },
    { needs: SERVING, member: true },
  ],
  [
    'a member where they cannot',
    'quota',
    'fail',
    /cannot be set on \/data\/home: setquota: .*not permitted/,
    {
      files: { '/proc/self/mountinfo': MOUNTS_DATA('rw,usrquota') },
      runs: { [SETQUOTA]: { status: 1, output: 'setquota: Operation not permitted\n' } },
    },
    { needs: SERVING, member: true },
  ],
  ['a node that mounts', 'quota', 'skip', /set on the file server: ask nas/, {}, { needs: MOUNTING }],
  [
    'a plain box',
    'home-layout',
    'pass',
    /\/chroot\/home is free; \/home will lead to/,
    {},
    { needs: MOUNTING },
  ],
  [
    '/home is a partition of its own',
    'home-layout',
    'fail',
    /\/home is a partition of its own \(\/dev\/vdb1, ext4\)/,
    { files: { '/proc/self/mountinfo': MOUNTS_HOME } },
    { needs: MOUNTING },
  ],
  [
    'the same where no storage is declared',
    'home-layout',
    'warn',
    /\/home is a partition of its own/,
    { files: { '/proc/self/mountinfo': MOUNTS_HOME } },
    { needs: { modules: ['nfsv4'] } },
  ],
  [
    '/home with files in it',
    'home-layout',
    'fail',
    /\/home is a folder of its own with ana, bob in it/,
    { at: { '/home': { entries: ['ana', 'bob'] } } },
    { needs: MOUNTING },
  ],
  [
    'a member with mount and link',
    'home-layout',
    'pass',
    /mounted from 10\.0\.0\.40:\/data\/home; \/home leads to/,
    { files: { '/proc/self/mountinfo': MOUNTS_NFS }, at: { '/home': { link: '/chroot/home' } } },
    { needs: MOUNTING, member: true },
  ],
  [
    'a member without its mount',
    'home-layout',
    'fail',
    /nothing is mounted at \/chroot\/home/,
    { at: { '/home': { link: '/chroot/home' } } },
    { needs: MOUNTING, member: true },
  ],
  [
    'a member without its link',
    'home-layout',
    'fail',
    /there is no \/home/,
    { files: { '/proc/self/mountinfo': MOUNTS_NFS } },
    { needs: MOUNTING, member: true },
  ],
  [
    'a link elsewhere',
    'home-layout',
    'fail',
    /\/home leads to \/usr\/home/,
    { at: { '/home': { link: '/usr/home' } } },
    { needs: MOUNTING },
  ],
  [
    'installed packages',
    'packages',
    'pass',
    /installed: nginx, quota/,
    { runs: { [DPKG]: { status: 0, output: 'installed nginx\ninstalled quota\n' } } },
    { needs: PACKAGES },
  ],
  [
    'a package removed but for its configuration',
    'packages',
    'warn',
    /not installed: quota$/,
    { runs: { [DPKG]: { status: 0, output: 'installed nginx\nconfig-files quota\n' } } },
    { needs: PACKAGES },
  ],
  [
    'a member that lacks one',
    'packages',
    'fail',
    /not installed: nginx, quota/,
    { runs: { [DPKG]: { status: 1, output: 'dpkg-query: no packages found matching nginx\n' } } },
    { needs: PACKAGES, member: true },
  ],
  [
    'a Rocky that lacks one',
    'packages',
    'warn',
    /not installed: quota/,
    {
      files: { '/etc/os-release': ROCKY },
      runs: { [RPM]: { status: 1, output: 'installed nginx\npackage quota is not installed\n' } },
    },
    { needs: PACKAGES },
  ],
  [
    'VIPs on lo',
    'vip-on-lo',
    'pass',
    /10\.0\.0\.100/,
    { addresses: [{ device: 'lo', address: '10.0.0.100', prefix: 32 }] },
    { needs: { vips: ['10.0.0.100'] }, member: true },
  ],
  [
    'a VIP that is not on lo',
    'vip-on-lo',
    'fail',
    /not on lo: 10\.0\.0\.100/,
    { addresses: [{ device: 'eth0', address: '10.0.0.100', prefix: 24 }] },
    { needs: { vips: ['10.0.0.100'] }, member: true },
  ],
  [
    'a box that has not joined',
    'vip-on-lo',
    'skip',
    /once the box is a node/,
    {},
    { needs: { vips: ['10.0.0.100'] } },
  ],
];

describe('[4.3] a check of the box', () => {
  it.each(cases)('%s: %s is %s', async (_, name, state, found, recorded, more) => {
    const finding = (await look(name, askedOf(recorded, more)))!;
    expect(finding).toMatchObject({ state, found: expect.stringMatching(found) });
    expect(isHelpful(finding)).toBe(true);
  });

  it('that depends on the roles is left out, and says so, while the manager has not said what they need', async () => {
    const findings = await lookedAt({ ...askedOf({}), needs: undefined });
    const skipped = findings.filter(({ state }) => state === 'skip').map(({ name }) => name);
    expect(skipped).toEqual([
      ...['home-layout', 'kernel-modules', 'nfs', 'quota', 'packages', 'systemd', 'vip-on-lo'],
    ]);
  });
});

describe('[4.3] a real box', () => {
  it.each([
    [DEBIAN, { id: 'debian', version: '12', family: 'debian' }],
    [ROCKY, { id: 'rocky', version: '9.4', family: 'rhel' }],
    [UBUNTU, { id: 'ubuntu', version: '24.04', family: 'debian' }],
    [ALPINE, { id: 'alpine', version: '3.20.1', family: 'other' }],
    ['', { id: 'unknown', version: '', family: 'other' }],
  ])('tells its distribution %#', (release, os) => {
    expect(osIn(release)).toEqual(os);
  });

  it('is read: who listens is found with the process that holds the port', async () => {
    const box = createBox();
    const asked = { ...askedOf({}), box, address: '127.0.0.1', look: askedOf({}).look };
    const close = await box.listen('127.0.0.1', 0);
    expect(close).toBeTypeOf('function');
    const tables = await box.read('/proc/net/tcp');
    const { listeningIn } = await import('../../../agent/preflight/listening.ts');
    const inodes = listeningIn(tables ?? '').map(({ inode }) => inode);
    expect([...(await box.holders(inodes)).values()].some((by) => by.endsWith(`(pid ${process.pid})`))).toBe(
      true,
    );
    expect((await lookedAt(asked)).every(isHelpful)).toBe(true);
    if (typeof close === 'function') await close();
    expect(await box.run(['no-such-command'])).toBeNull();
    expect(await box.run(['false'])).toMatchObject({ status: 1 });
    expect(await box.at('/proc/self/exe')).toEqual({ link: process.execPath });
  });
});
