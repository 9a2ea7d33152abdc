/** Through the balancer: whether visitors get the site at an address that they use, from every node that should serve. */
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolView } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { type Answered, fetchSite } from './fetch.ts';
import type { Look } from './look.ts';
import type { SmokeSite } from './site.ts';
import { type Door, outOfPool } from './world.ts';

/** In which a director may take in members that have just joined. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 500;
/** Requests for each member in one round. */
const PER_MEMBER = 4;
/** Directors tell what they have counted every ten seconds. */
const COUNTED_MS = 25_000;

interface Round {
  answers: Answered[];
  pool: PoolView | undefined;
}

export interface Trial {
  site: SmokeSite;
  /** Those that should serve: one look for each comes back. */
  members: string[];
  /** They may be in the pool without the site. */
  others: string[];
  patience?: number;
}

export async function throughDoor(
  client: Client,
  door: Door,
  { site, members, others, patience = PATIENCE_MS }: Trial,
): Promise<Map<string, Look>> {
  const all = (look: Look) => new Map(members.map((name) => [name, look]));
  if (isOnLo(door.vip))
    return all({
      state: 'skipped',
      text: `cannot be tried from here: this box has ${door.vip} on lo and would ask itself`,
    });
  const before = await carried(client, door);
  const rounds = performance.now() + patience;
  for (;;) {
    const round = await oneRound(client, door, site, members);
    const looks = judged(round, door, { members, others });
    if ([...looks.values()].every(({ state }) => state !== 'failed'))
      return counted(client, door, before, looks);
    if (performance.now() > rounds) return looks;
    await sleep(PAUSE_MS);
  }
}

/** Somebody of the pool has answered, and has not said who. */
const IN_POOL: Look = { state: 'ok', text: 'is in the pool, which answered' };

/** A member behind LVS that is asked from itself answers itself. */
const isOnLo = (vip: string): boolean =>
  !vip.startsWith('127.') && (networkInterfaces().lo ?? []).some(({ address }) => address === vip);

/** Ends early once each member has named itself. */
async function oneRound(client: Client, door: Door, site: SmokeSite, members: string[]): Promise<Round> {
  const answers: Answered[] = [];
  const isDone = () => members.every((name) => answers.some((one) => one.node === name));
  const most = door.sticks ? 1 : Math.max(2, members.length * PER_MEMBER);
  while (answers.length < most && !isDone()) answers.push(await fetchSite(site, door.vip, door.port));
  const { items } = await client.call('pools');
  return { answers, pool: items.find(({ service }) => service === door.service) };
}

/** What one round says of each member. */
function judged(
  { answers, pool }: Round,
  door: Door,
  { members, others }: { members: string[]; others: string[] },
): Map<string, Look> {
  // Only who is in the pool all the same may be asked in place of a member, and nobody is excused for silence.
  const inPool = others.filter((name) => outOfPool(pool, name) === undefined);
  const isExcused = ({ node, answered }: Answered) =>
    answered && (node === undefined ? inPool.length > 0 : inPool.includes(node));
  const wrong = answers.filter((one) => one.wrong !== undefined && !isExcused(one));
  const right = answers.filter((one) => one.wrong === undefined);
  const countOf = (name: string) => right.filter(({ node }) => node === name).length;
  const nameless = wrong.find(({ node }) => node === undefined);
  // It was one of those who have not shown that they serve; else it may have been any.
  const isAnyones = members.every((name) => countOf(name) > 0);
  const look = (name: string): Look => {
    const mine = countOf(name);
    const own = wrong.find(({ node }) => node === name) ?? (mine === 0 || isAnyones ? nameless : undefined);
    if (own?.wrong !== undefined) return { state: 'failed', text: own.wrong };
    if (mine > 0) return { state: 'ok', text: `answered ${mine} of ${answers.length} requests` };
    const out = outOfPool(pool, name);
    if (out !== undefined) return { state: 'failed', text: `took no request: it ${out}` };
    if (right.length === 0) return { state: 'failed', text: 'nobody answered' };
    if (door.sticks)
      return {
        state: 'ok',
        text: 'is in the pool; a visitor stays with one member, so this one was not asked for all',
      };
    if (right.some(({ node }) => node === undefined)) return IN_POOL;
    return { state: 'failed', text: `took none of ${answers.length} requests, although it is in the pool` };
  };
  return new Map(members.map((name) => [name, look(name)]));
}

/** Connections that each member has taken, as its directors have counted them so far; undefined where nobody counts. */
async function carried(client: Client, { service }: Door): Promise<Map<string, number> | undefined> {
  const { items } = await client.call('traffic');
  const rows = items.filter((row) => row.service === service && row.member !== null);
  if (rows.length === 0) return undefined;
  const sums = new Map<string, number>();
  for (const { member, connections } of rows)
    sums.set(member ?? '', (sums.get(member ?? '') ?? 0) + connections);
  return sums;
}

/** Of those who have not named themselves, the directors have counted who was asked. */
async function counted(
  client: Client,
  door: Door,
  before: Map<string, number> | undefined,
  looks: Map<string, Look>,
): Promise<Map<string, Look>> {
  const unnamed = [...looks.keys()].filter((name) => looks.get(name) === IN_POOL);
  if (unnamed.length === 0) return looks;
  const end = performance.now() + COUNTED_MS;
  for (;;) {
    const now = await carried(client, door);
    const grown = (name: string) => (now?.get(name) ?? 0) - (before?.get(name) ?? 0);
    const isOver = performance.now() > end || unnamed.every((name) => grown(name) > 0);
    // A service that has just been made is counted for the first time within ten seconds; with some balancers never.
    if (isOver && now === undefined) return looks;
    if (isOver) return new Map([...looks, ...unnamed.map((name) => countedLook(name, grown(name)))]);
    await sleep(PAUSE_MS);
  }
}

const countedLook = (name: string, count: number): [string, Look] => [
  name,
  count > 0
    ? { state: 'ok', text: `took ${count} connections meanwhile, as the director counts` }
    : { state: 'failed', text: 'took no connection, as the director counts, although it is in the pool' },
];
