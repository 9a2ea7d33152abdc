/** The check quota: whether a file server can set quotas on what it exports (I30, I54-I56). On a member it is tried, in a way that changes nothing. */
import { fail, pass, skip, warn } from '../../../common/findings.ts';
import { MOUNTS, type Mounted, mountsIn } from '../../../common/mounts.ts';
import type { Finding } from '../../../protocol/preflight.ts';
import { type Asked, NOBODY_SAID } from '../asked.ts';
import type { Box } from '../box.ts';

const NAME = 'quota';
/** A user of whom nobody has files: to have no limit is what it has already. */
const NOBODYS_NUMBER = '4294967290';
const ON = /^(usr|u|usrj|prj|p)?quota(=|$)|^quota$/;

function mountOver(path: string, mounts: Mounted[]): Mounted | undefined {
  const over = mounts.filter(({ point }) => point === '/' || `${path}/`.startsWith(`${point}/`));
  const longest = Math.max(...over.map(({ point }) => point.length));
  return over.findLast(({ point }) => point.length === longest);
}

const FIX: Record<string, string> = {
  xfs: 'mount it with uquota (in /etc/fstab; for / rootflags=uquota on the kernel line)',
  ext4: 'mount it with usrquota, and run quotacheck and quotaon',
};

async function onExport(
  { box, member }: Asked,
  { path, wanted }: { path: string; wanted: boolean },
  mounts: Mounted[],
): Promise<Finding> {
  const mounted = mountOver(path, mounts);
  if (!mounted) return skip(NAME, `nobody can say on which file system ${path} is`);
  const { point, type, options, own } = mounted;
  // Where users have quotas declared, a file server without is of no use.
  const lacks = wanted ? fail : warn;
  const why = `no user of ${path} could be limited`;
  const isOn = [...options, ...own].some((option) => ON.test(option));
  if (!isOn)
    return lacks(NAME, `${point} (${type}) counts no quotas`, {
      ...{ why, fix: FIX[type] ?? 'put the export on ext4 or XFS, mounted with quotas' },
      ...(type === 'ext4'
        ? { command: `mount -o remount,usrquota ${point} && quotacheck -um ${point} && quotaon ${point}` }
        : {}),
    });
  return member ? tried(box, point, { path, lacks }) : pass(NAME, `${point} (${type}) counts quotas`);
}

async function tried(
  box: Box,
  point: string,
  { path, lacks }: { path: string; lacks: typeof fail | typeof warn },
): Promise<Finding> {
  const ran = await box.run(['setquota', '-u', NOBODYS_NUMBER, '0', '0', '0', '0', point]);
  if (ran?.status === 0) return pass(NAME, `quotas can be set on ${path}`);
  const said = ran === null ? 'setquota is not installed' : ran.output.trim() || 'setquota does not end';
  return lacks(NAME, `quotas cannot be set on ${path}: ${said}`, {
    ...{ why: `no user of ${path} could be limited`, fix: 'switch them on, or let the host permit it' },
    command: `quotaon ${point}`,
  });
}

/** The findings of every export; `merged` makes one of them. */
export async function quota(asked: Asked): Promise<Finding[]> {
  const { box, needs } = asked;
  if (!needs) return [skip(NAME, NOBODY_SAID)];
  if (!needs.modules.includes('nfsd')) return [elsewhere(needs.storages)];
  if ((await box.at('/proc/sys/fs/quota')) === null)
    return [
      fail(NAME, `the kernel ${box.release} has no quotas`, {
        why: 'no user of a storage could be limited',
        fix: 'use a kernel with quotas; in a virtual box the host has to permit them',
      }),
    ];
  const exported = needs.storages.flatMap(({ export: path, quotas = false }) =>
    path === undefined ? [] : [{ path, wanted: quotas }],
  );
  if (exported.length === 0) return [pass(NAME, 'the kernel counts quotas; no storage lies here yet')];
  const mounts = mountsIn((await box.read(MOUNTS)) ?? '');
  return Promise.all(exported.map((one) => onExport(asked, one, mounts)));
}

function elsewhere(storages: { name: string; server: string }[]): Finding {
  if (storages.length === 0) return skip(NAME, 'this box keeps no storage');
  const servers = [...new Set(storages.map(({ server }) => server))].join(', ');
  return skip(NAME, `quotas are set on the file server: ask ${servers}`);
}
