/** `quota ana /data/home 900m 1g`: how much a user may have on the file system of a folder: softly, and at most. */
import { messageOf } from '../../protocol/errors.ts';
import { mountOver } from './mounts.ts';
import type { Hands, Look, Thing } from './thing.ts';
import { pathOf, type Words } from './words.ts';

const USER = /^[a-z_][a-z0-9_-]{0,31}$/;
const UNITS: Record<string, number> = { k: 1, m: 1024, g: 1024 * 1024 };

/** In blocks of 1 KiB, as quotas are counted. */
function blocksOf(words: Words, what: string): number {
  const size = words.take(what, /^[0-9]{1,6}[kmg]$/);
  return Number(size.slice(0, -1)) * (UNITS[size.slice(-1)] ?? 1);
}

type Limits = ReadonlyMap<string, string>;

/** Understood once for each answer, which counts for longer than a look: thousands of lines ask about thousands of users. */
const understood = new WeakMap<Promise<string>, Promise<Limits | null>>();

function limitsIn(listed: string): Limits | null {
  if (listed === '') return null;
  const rows = listed.split('\n').map((line) => line.split(','));
  return new Map(rows.map(([user = '', , , , soft = '0', hard = '0']) => [user, `${soft} ${hard}`]));
}

/** `soft hard` of a user; null where the file system keeps no quotas. */
async function limitsOf(user: string, path: string, look: Look): Promise<string | null> {
  const place = mountOver(path, look)?.point;
  if (place === undefined) return null;
  // It reads the numbers of all users: on a big server that takes seconds.
  const listed = look.ask(['repquota', '-u', '-v', '-p', '-O', 'csv', place], { slow: true });
  const limits = understood.get(listed) ?? listed.then(limitsIn);
  understood.set(listed, limits);
  const all = await limits;
  return all === null ? null : (all.get(user) ?? '0 0');
}

async function set(user: string, path: string, limits: string, hands: Hands, look: Look): Promise<void> {
  const place = mountOver(path, look)?.point ?? path;
  try {
    await hands.call(['setquota', '-u', user, ...limits.split(' '), '0', '0', place]);
  } catch (err) {
    const hint = (await limitsOf(user, path, look)) === null;
    const fix = `; ${place} keeps no quotas: mount it with usrquota (XFS: uquota), and run quotacheck and quotaon`;
    throw new Error(`${messageOf(err)}${hint ? fix : ''}`, { cause: err });
  }
}

export function parseQuota(words: Words): Thing {
  const user = words.take('the name of a user', USER);
  const path = pathOf(words, 'a folder');
  const limits = `${blocksOf(words, 'a size such as 900m')} ${blocksOf(words, 'a size such as 1g')}`;
  return {
    id: `quota ${user} ${path}`,
    needs: [{ list: 'folders', value: path }],
    concerns: 'customer',
    // The kernel counts by user and file system, whatever folder is named.
    place: (look) => `${user} on ${mountOver(path, look)?.device}`,
    wants: limits,
    found: async (look) => {
      const now = await limitsOf(user, path, look);
      if (now === limits) return null;
      return now === null || now === '0 0' ? '' : `quota ${user} ${path} ${now.replace(/\d+/g, '$&k')}`;
    },
    former: (look) => limitsOf(user, path, look),
    make: (hands, look) => set(user, path, limits, hands, look),
    undo: async (hands, look, former) => {
      if (former !== null && (await limitsOf(user, path, look)) !== former)
        await set(user, path, former, hands, look);
    },
  };
}
