/** The temporary site of a smoke test: made, found again by its name, and taken away in any case. */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../protocol/errors.ts';
import type { Client } from '../client.ts';

export interface SmokeSite {
  name: string;
  /** Only this site leads there, so whoever answers with it serves what was declared a moment ago. */
  token: string;
}

/** Longer than any smoke test lasts: what is older belongs to nobody. */
const ABANDONED_MS = 15 * 60_000;
const PREFIX = 'evenkeel-smoke-';
/** A name that no DNS ever leads to (RFC 2606). It tells who made the site, and when. */
const NAME = /^evenkeel-smoke-(?<machine>[0-9a-f]{8})-(?<pid>\d{1,10})-(?<at>\d{13})-[0-9a-f]{12}\.invalid$/;
/** There on every box, and hardly anything in it: the site has no files of its own. */
const ROOT = '/usr/share/misc';

export const SMOKE_PATH = '/evenkeel-smoke';

const machine = (): string => createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

export function newSite(now: number): SmokeSite {
  const [word, token] = [randomBytes(6).toString('hex'), randomBytes(12).toString('hex')];
  return { name: `${PREFIX}${machine()}-${process.pid}-${now}-${word}.invalid`, token };
}

export const siteDocument = ({ name, token }: SmokeSite) => ({
  ...{ kind: 'Site' as const, name },
  spec: {
    ...{ root: ROOT, accessLog: 'off' },
    redirects: [{ from: SMOKE_PATH, to: `/${token}`, code: 302 }],
  },
});

/** Whether whoever made a site is gone: a process of this box that has ended, or anybody a long time ago. */
export function isLeftOver(name: string, now: number, isAlive: (pid: number) => boolean): boolean {
  const { machine: where, pid, at } = NAME.exec(name)?.groups ?? {};
  if (where === undefined) return false;
  return now - Number(at) > ABANDONED_MS || (where === machine() && !isAlive(Number(pid)));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Removes what runs have left that were killed. @returns their names */
export async function removeLeftOvers(client: Client, now: number): Promise<string[]> {
  const { items } = await client.call('list', {
    params: { kind: 'Site' },
    query: { after: PREFIX, limit: 1000 },
  });
  const left = items.map(({ name }) => name).filter((name) => isLeftOver(name, now, isRunning));
  for (const name of left) await removeSite(client, name);
  return left;
}

const TRIES = 5;

/** Does nothing where it is gone already. @throws with how it is removed by hand */
export async function removeSite(client: Client, name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await client.call('delete', { params: { kind: 'Site', name } });
      return;
    } catch (err) {
      if ((err as { code?: unknown }).code === 'not-found') return;
      if (tries === TRIES)
        throw new Error(`Site/${name} is still declared (${messageOf(err)}): evenkeel delete site ${name}`, {
          cause: err,
        });
      await sleep(500 * tries);
    }
  }
}
