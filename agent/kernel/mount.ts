/**
 * `mount nfs4 10.0.0.40:/vol/home /home rw,hard`: a file system of a file server is at a place. Another server's, or the
 * same with other options, goes over the one that is there, so that nobody sees an empty folder; one whose files are gone
 * for good (stale) is mounted anew. One that hangs is left alone: it goes on when its server is back, and a check tells of
 * it meanwhile.
 */
import { mkdir, mkdtemp, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mounted } from '../../common/mounts.ts';
import { messageOf } from '../../protocol/errors.ts';
import { mountAt, mountsNow } from './mounts.ts';
import { type Hands, type Look, THERE, type Thing } from './thing.ts';
import { pathOf, type Words } from './words.ts';

const MOUNT_MS = 20_000;
const UMOUNT_MS = 5_000;
/** Who writes just now keeps a mount from becoming read-only. */
const TRIES = 15;
const PAUSE_MS = 200;
/** Each other server and each change of options is one more, until the box starts again. */
const MOST_LAYERS = 32;
/** What stands is changed by what it is itself: a line of fstab about the same place would add its own options, or none. */
const REMOUNT = ['mount', '-i', '--options-source', 'mtab', '-o'];
/** Without it the kernel gives a second mount of the same export the times of the first, and to one that stands no others. */
const OWN_OPTIONS = 'nosharecache';

const SOURCE = /^[0-9.]{7,15}:(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._@+~=,-]*)+$/;
const OPTION = '[a-z0-9_]+(?:=[A-Za-z0-9_.:-]+)?';
const OPTIONS = new RegExp(`^${OPTION}(?:,${OPTION})*$`);
/** Those that the kernel says again in just these words. */
const ECHOED = /^(?:hard|soft|proto=tcp|timeo=\d+|retrans=\d+|sec=\w+|vers=4\.[0-2]|noac|nocto)$/;
/** Those of the mount itself, which the kernel tells whether they are given or not. */
const OF_MOUNT = ['nosuid', 'nodev', 'noexec', 'noatime'];

interface Wanted {
  source: string;
  point: string;
  options: string[];
  isReadOnly: boolean;
}

/** Nobody asks the server for more than the attributes of the root; -f would ask more of it. */
async function isStale(point: string, look: Look): Promise<boolean> {
  const said = await look.ask(['stat', '--file-system', '--', point], { failing: true });
  return /stale/i.test(said);
}

const differsIn = ({ options }: Wanted, now: Mounted): string[] => [
  ...options.filter((option) => ECHOED.test(option) && !now.options.includes(option)),
  ...OF_MOUNT.filter((flag) => options.includes(flag) !== now.own.includes(flag)),
];

/** What another mount over it has not changed: it is told, and not tried again until the box starts anew. */
const inVain = new Set<string>();
const vainly = (wanted: Wanted, now: Mounted): string =>
  [wanted.point, wanted.source, ...differsIn(wanted, now)].join(' ');

async function foundOf(wanted: Wanted, look: Look): Promise<string | null> {
  const now = mountAt(wanted.point, look);
  if (now === undefined || !now.type.startsWith('nfs')) return '';
  const said = `mount ${now.type} ${now.source} ${wanted.point} ${now.own.includes('ro') ? 'ro' : 'rw'}`;
  if (now.source !== wanted.source) return said;
  if (now.own.includes('ro') !== wanted.isReadOnly) return said;
  if (now.options.includes('ro') !== wanted.isReadOnly && isAlone(wanted, look))
    return `${said}, its file system not`;
  if (isWrittenBelow(wanted, look)) return `${said}, over an older mount of it that takes writes`;
  if (differsIn(wanted, now).length > 0) return `${said},${[...now.own, ...now.options].join(',')}`;
  return (await isStale(wanted.point, look)) ? `${said}, which is stale` : null;
}

const layersAt = (point: string, look: Look): Mounted[] =>
  mountsNow(look).filter((one) => one.point === point && one.type.startsWith('nfs'));

/** What was open when a mount with other options went over it goes on below, where no path of ours leads. */
const isWrittenBelow = ({ source, point, isReadOnly }: Wanted, look: Look): boolean =>
  isReadOnly &&
  layersAt(point, look)
    .slice(0, -1)
    .some((one) => one.source === source && !one.own.includes('ro') && !one.options.includes('ro'));

/** Whether no other export is seen by the same file system of ours: an external server may have several on one volume. */
function isAlone({ source, point }: Wanted, look: Look): boolean {
  const now = mountAt(point, look);
  return mountsNow(look).every(({ device, source: other }) => device !== now?.device || other === source);
}

/**
 * The file system where it may be, else the mount alone: a service with mounts of its own (systemd's PrivateTmp) writes by
 * its own copy of the mount, which only a file system that is read-only stops, or shows to be busy.
 */
async function turn(wanted: Wanted, hands: Hands, look: Look): Promise<void> {
  const { point, isReadOnly } = wanted;
  const word = isReadOnly ? 'ro' : 'rw';
  const how = isAlone(wanted, look) ? `remount,${word}` : `remount,bind,${word}`;
  for (let left = TRIES; ; left -= 1) {
    try {
      return await hands.call([...REMOUNT, how, point]);
    } catch (err) {
      if (left === 0 || !/busy/i.test(messageOf(err))) throw err;
      await hands.pause(PAUSE_MS);
    }
  }
}

async function unmount(point: string, hands: Hands): Promise<void> {
  try {
    await hands.call(['umount', '-i', '-c', point], { timeout: UMOUNT_MS });
  } catch (err) {
    hands.warn(`${point} is in use and goes when nobody uses it any more: ${messageOf(err)}`);
    await hands.call(['umount', '-i', '-c', '-l', point], { timeout: UMOUNT_MS });
  }
}

async function make(wanted: Wanted, hands: Hands, look: Look, anew: boolean): Promise<void> {
  const { source, point, options, isReadOnly } = wanted;
  if (isWrittenBelow(wanted, look))
    throw new Error(
      `an older mount of it below takes writes, from before its options were changed; put the node into maintenance, and there umount -l ${point} until it is empty`,
    );
  const now = mountAt(point, look);
  const isSame = now?.source === source && now.type.startsWith('nfs');
  const stale = isSame && (await isStale(point, look));
  const isRight = (mounted: Mounted) =>
    differsIn(wanted, mounted).length === 0 || inVain.has(vainly(wanted, mounted));
  if (isSame && !stale && !anew && isRight(now)) return turn(wanted, hands, look);
  if (stale) await hands.call(['umount', '-i', '-c', '-l', point], { timeout: UMOUNT_MS });
  if (layersAt(point, look).length >= MOST_LAYERS)
    throw new Error(
      `${MOST_LAYERS} mounts lie one over the other there; restart the box, or put the node into maintenance, and there umount -l ${point} until it is empty`,
    );
  if (mountAt(point, look) === undefined) await mkdir(point, { recursive: true });
  const given = options.filter((option) => option !== 'ro' && option !== 'rw');
  if (isSame && !stale) given.push(OWN_OPTIONS);
  const how = given.length === 0 ? [] : ['-o', given.join(',')];
  const mount = (place: string) =>
    hands.call(['mount', '-t', 'nfs4', ...how, source, place], { timeout: MOUNT_MS });
  await (isReadOnly ? fromAside(wanted, mount, hands, look) : mount(point));
  const then = mountAt(point, look);
  if (then !== undefined && differsIn(wanted, then).length > 0) inVain.add(vainly(wanted, then));
}

/** Read-only from its first moment: nobody may write where it is not yet sure that all will be. */
async function fromAside(
  wanted: Wanted,
  mount: (place: string) => Promise<void>,
  hands: Hands,
  look: Look,
): Promise<void> {
  await mkdir(hands.aside, { recursive: true, mode: 0o700 });
  const aside = await mkdtemp(join(hands.aside, 'mount-'));
  try {
    await mount(aside);
    try {
      await turn({ ...wanted, point: aside }, hands, look);
      await hands.call(['mount', '-i', '--bind', aside, wanted.point]);
    } finally {
      await unmount(aside, hands);
    }
  } finally {
    await rmdir(aside);
  }
}

/** What an agent left that ended between two steps: nobody needs it any more, and it is as writable as its storage. */
export async function sweepAside(hands: Hands, look: Look): Promise<void> {
  const isLeft = ({ point }: Mounted) => point.startsWith(`${hands.aside}/`);
  for (const { point } of mountsNow(look).filter(isLeft).reverse()) await unmount(point, hands);
  for (const name of look.list(hands.aside)) await rmdir(join(hands.aside, name));
}

/** What is said later counts: of one name, and of those that contradict each other. */
function lastOfEach(options: readonly string[]): string[] {
  const names: Record<string, string> = { soft: 'hard', ro: 'rw', relatime: 'noatime' };
  for (const flag of OF_MOUNT) names[flag.slice('no'.length)] = flag;
  const keyOf = (option: string) => names[option] ?? option.split('=')[0] ?? option;
  return [...new Map(options.map((option) => [keyOf(option), option])).values()];
}

/** All but what is changed on a mount that stands. */
const lasting = (options: readonly string[]): string =>
  options
    .filter((option) => option !== '' && option !== 'ro' && option !== 'rw')
    .sort()
    .join();

export function parseMount(words: Words): Thing {
  words.keyword('nfs4');
  const source = words.take('a server and its export, as 10.0.0.1:/path', SOURCE);
  const point = pathOf(words, 'the place of the mount');
  const given = lastOfEach(words.maybeTake(OPTIONS)?.split(',') ?? []);
  const wanted: Wanted = { source, point, options: given, isReadOnly: given.includes('ro') };
  return {
    id: `mount ${point}`,
    needs: [{ list: 'folders', value: point }],
    waits: true,
    found: (look) => foundOf(wanted, look),
    former: async (look) => (mountAt(point, look)?.source === source ? THERE : null),
    renews: (earlier) => {
      const [, , before, , options = ''] = earlier.split(' ');
      return before === source && lasting(lastOfEach(options.split(','))) !== lasting(given);
    },
    make: (hands, look, anew = false) => make(wanted, hands, look, anew),
    undo: async (hands, look, former) => {
      if (former !== null) return;
      for (const _ of layersAt(point, look)) await unmount(point, hands);
    },
  };
}
