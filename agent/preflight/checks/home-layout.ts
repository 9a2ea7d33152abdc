/** The check home-layout: whether storages can be mounted where they are wanted, and links to them made (I28, I29, I54, I55). */
import { fail, pass, skip, warn } from '../../../common/findings.ts';
import { MOUNTS, type Mounted, mountsIn } from '../../../common/mounts.ts';
import type { Finding, Needs } from '../../../protocol/preflight.ts';
import { type Check, NOBODY_SAID } from '../asked.ts';
import type { Box } from '../box.ts';

const NAME = 'home-layout';
const isRemote = ({ type }: Mounted) => type.startsWith('nfs') || type === 'autofs';

/** A disk of the box itself where others want to be. */
const ownPartition = (
  { point, source, type }: Mounted,
  why: string,
  state: typeof fail | typeof warn,
): Finding =>
  state(NAME, `${point} is a partition of its own (${source}, ${type})`, {
    why,
    // No line to copy: what is in it has to move a folder deeper, with nobody logged in.
    fix: `mount that partition at /chroot instead (in /etc/fstab as well), move what is in it into /chroot${point}, and let ${point} lead there`,
  });

interface Place {
  mountpoint: string;
  link?: string | undefined;
}

async function linkAt(box: Box, link: string, { mountpoint }: Place, member: boolean): Promise<Finding> {
  const found = await box.at(link);
  const help = { why: `${link} would not lead to the site data`, fix: `make it a link to ${mountpoint}` };
  const command = `ln -sfn ${mountpoint} ${link}`;
  if (found === null && !member) return pass(NAME, `${link} will lead to ${mountpoint}`);
  if (found === null) return fail(NAME, `there is no ${link}`, { ...help, command });
  if (found === 'file')
    return fail(NAME, `${link} is a file`, { ...help, command: `rm ${link} && ${command}` });
  if ('link' in found)
    return found.link === mountpoint
      ? pass(NAME, `${link} leads to ${mountpoint}`)
      : fail(NAME, `${link} leads to ${found.link}`, { ...help, command });
  if (found.entries.length === 0 && !member)
    return pass(NAME, `${link} is empty, and will lead to ${mountpoint}`);
  const some = found.entries.slice(0, 3).join(', ') || 'nothing';
  return fail(NAME, `${link} is a folder of its own with ${some} in it`, {
    ...help,
    fix: `copy what is in it to the file server, and remove it: a folder with something in it is never put aside`,
    command: `mv ${link} ${link}.before`,
  });
}

async function mountAt(
  box: Box,
  mounts: Mounted[],
  { mountpoint }: Place,
  member: boolean,
): Promise<Finding> {
  const mounted = mounts.findLast(({ point }) => point === mountpoint);
  if (mounted && isRemote(mounted)) return pass(NAME, `${mountpoint} is mounted from ${mounted.source}`);
  if (mounted) return ownPartition(mounted, 'nodes mount the shared data there', fail);
  if (member)
    return fail(NAME, `nothing is mounted at ${mountpoint}`, {
      why: 'site data are not there, and the node is in no pool of its role',
      fix: 'see what the unit says, and whether the file server answers',
      command: 'evenkeel local status',
    });
  const found = await box.at(mountpoint);
  if (found !== null && typeof found === 'object' && 'entries' in found && found.entries.length > 0)
    return warn(NAME, `${mountpoint} holds ${found.entries.slice(0, 3).join(', ')}`, {
      why: 'what lies there is hidden once the shared data are mounted over it',
      fix: 'copy it to the file server, or move it away',
      command: `mv ${mountpoint} ${mountpoint}.before`,
    });
  return pass(NAME, `${mountpoint} is free`);
}

const isMounting = ({ modules, storages }: Needs) =>
  modules.includes('nfsv4') || storages.some(({ mountpoint }) => mountpoint !== undefined);

/** The findings of every place; `merged` makes one of them. */
export async function homeLayout(asked: Parameters<Check>[0]): Promise<Finding[]> {
  const { box, needs, member } = asked;
  if (!needs) return [skip(NAME, NOBODY_SAID)];
  if (!isMounting(needs)) return [skip(NAME, 'the roles mount no shared data')];
  const mounts = mountsIn((await box.read(MOUNTS)) ?? '');
  const places = needs.storages.flatMap(({ mountpoint, link }) => (mountpoint ? [{ mountpoint, link }] : []));
  const home = mounts.findLast(({ point }) => point === '/home');
  if (places.length === 0)
    return [
      home && !isRemote(home)
        ? ownPartition(home, 'a storage could neither be mounted at /home nor linked from it', warn)
        : pass(NAME, 'no storage is declared yet, and /home is no partition of its own'),
    ];
  const found = places.map(async (place) => {
    const at = await mountAt(box, mounts, place, member);
    const { link } = place;
    if (link === undefined) return [at];
    const over = mounts.findLast(({ point }) => point === link);
    if (over && !isRemote(over))
      return [at, ownPartition(over, `${link} is to lead to the shared data`, fail)];
    return [at, await linkAt(box, link, place, member)];
  });
  return (await Promise.all(found)).flat();
}
