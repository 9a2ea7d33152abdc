/** Paths that root is to follow: looked at in a child, which a dead file server may hang, and refused where somebody else could lead us. */
import { mountAt } from './mounts.ts';
import type { Look } from './thing.ts';

export type Seen = { kind: 'folder' | 'file' | 'none' } | { kind: 'link'; target: string };

/** Mode in hexadecimal digits, owner, and the name, with where it leads. */
const FORMAT = '--format=%f %u %N';
const TYPE = 0o170000;
const LINK = 0o120000;
const FOLDER = 0o040000;
const STICKY = 0o1000;
const FOR_OTHERS = 0o022;

interface Stat {
  mode: number;
  owner: number;
  target: string;
}

/** Of each path that is there, in their order; nothing is followed. @throws when it does not answer in time */
async function statsOf(paths: readonly string[], look: Look): Promise<Stat[]> {
  const said = await look.ask(['stat', FORMAT, '--', ...paths], { failing: true });
  if (said === '')
    throw new Error(`${paths.at(-1)} does not answer: a file server that it lies on may be away`);
  return said.split('\n').flatMap((line) => {
    const [, mode, owner, name = ''] = /^([0-9a-f]+) (\d+) (.*)$/.exec(line) ?? [];
    if (mode === undefined) return [];
    const target = / -> .(.*).$/.exec(name)?.[1] ?? '';
    return [{ mode: Number.parseInt(mode, 16), owner: Number(owner), target }];
  });
}

const isLink = ({ mode }: Stat) => (mode & TYPE) === LINK;

/** @throws when it does not answer in time */
export async function seenAt(path: string, look: Look): Promise<Seen> {
  const [stat] = await statsOf([path], look);
  if (stat === undefined) return { kind: 'none' };
  if (isLink(stat)) return { kind: 'link', target: stat.target };
  return { kind: (stat.mode & TYPE) === FOLDER ? 'folder' : 'file' };
}

/** `/a`, `/a/b`, `/a/b/c`. */
const stepsTo = (path: string): string[] => {
  const names = path.split('/').slice(1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
};

/** Whoever may write to a folder can put a link in the place of what is in it, also between our look and what we do. */
const isOpen = ({ mode, owner }: Stat) => owner !== 0 || ((mode & FOR_OTHERS) !== 0 && (mode & STICKY) === 0);

/**
 * The kernel follows links, and root's list of folders is about names: a path that is on the list must lead where it says.
 * @throws naming the link and where it leads, or the folder that is not root's alone
 */
export async function refuseLed(path: string, look: Look): Promise<void> {
  // Where something is mounted, the kernel has named the place itself.
  if (mountAt(path, look) !== undefined) return;
  const steps = stepsTo(path);
  const stats = await statsOf(steps, look);
  for (const [index, stat] of stats.entries()) {
    if (isLink(stat))
      throw new Error(
        `${steps[index]} is a link to ${stat.target}: name the place itself, or take the link away`,
      );
    if (index < steps.length - 1 && isOpen(stat))
      throw new Error(
        `${steps[index]} is not root's alone (user ${stat.owner}, mode ${(stat.mode & 0o7777).toString(8)}), and who may write there could lead ${path} elsewhere: chown it to root, or choose another place`,
      );
  }
}
