/**
 * A balancer that somebody else runs keeps the contract as far as it can: a HAProxy of their own, which a program of
 * theirs sets by what the manager's webhook says, and by the JSON where the program or the balancer has just started.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { createObserved } from '../../manager/health/observed.ts';
import { createPki, initPki } from '../../manager/pki/pki.ts';
import { createPools, firstNumberOf } from '../../manager/pool/pools.ts';
import { createExternal } from '../../manager/wiring/external.ts';
import type { PoolMembers } from '../../protocol/external.ts';
import { createHaproxy, type Haproxy } from '../integration/haproxy-process.ts';
import { createWebNodes, freePort } from '../integration/web-nodes.ts';
import { createReceiver, isGenuine, type Receiver } from '../support/receiver.ts';
import { declared } from '../unit/render/declared.ts';
import { type BalancerBench, cannot, MEMBERS, promises, type Wishes } from './balancer.contract.ts';

const log = createLog('test', 'silent');
const service = declared('VirtualService', 'web', {
  ...{ vip: '192.0.2.10', ports: [80], pool: { role: 'web', check: 'http' } },
});
const policy = declared('Policy', 'web-nginx', {
  role: 'web',
  files: [{ template: 'a.hbs', path: 'a' }],
  checks: [{ name: 'http', type: 'tcp', port: '80' }],
});

/** The operator says what is wanted of a node: nobody of ours tries a member where the balancer is external. */
function nodeOf(name: (typeof MEMBERS)[number], [state, weight]: Wishes['n1']) {
  const word = { reason: 'work', owner: 'ann' };
  const said = { up: { weight }, drain: { drain: word }, down: { maintenance: word } }[state];
  return declared('Node', name, { roles: ['web'], address: `127.0.0.1${name.slice(1)}`, ...said });
}

let folder: string;
let haproxy: Haproxy;
let receiver: Receiver;
let bench: BalancerBench;
const undo: (() => Promise<void> | void)[] = [];

/** Pools and webhook as the manager has them, without the rest of it. */
async function managerOf(nodes: () => ReturnType<typeof nodeOf>[]) {
  const cluster = declared('Cluster', 'cluster', {
    ...{ address: '127.0.0.1', balancer: 'external', external: { webhook: { url: receiver.url } } },
  });
  await initPki({ folder: join(folder, 'pki'), clock });
  const pki = await createPki({ folder: join(folder, 'pki'), address: '127.0.0.1', clock, log });
  const observed = createObserved({ clock, emit: () => undefined, headsOf: () => [] });
  const pools = createPools({
    ...{ cluster: 'c-1', epoch: () => 1, firstNumber: firstNumberOf(1), observed, clock, log },
    world: { virtualServices: () => [service], nodes, policies: () => [policy], cluster: () => cluster },
    ...{ sign: pki.seal, publish: async () => undefined, clear: async () => undefined },
    ...{ hint: () => undefined, emit: () => undefined, grace: 0 },
  });
  const view = { VirtualService: new Map([['web', service]]), Cluster: new Map([['cluster', cluster]]) };
  const external = createExternal({
    store: { view: () => view as never },
    ...{ pools, pki, clock, log, held: () => false, emit: () => undefined },
  });
  for (const name of MEMBERS)
    observed.status(name, { session: 's', state: 'online', version: '1', protocol: 1, scopes: {} });
  undo.push(pools.start(), external.start());
  return { pools, external };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-contract-'));
  const web = createWebNodes(MEMBERS, await freePort());
  haproxy = await createHaproxy({
    folder,
    port: await freePort(),
    names: MEMBERS,
    nodes: web,
    fallbackPort: 9,
  });
  await haproxy.start();
  receiver = await createReceiver();
  let nodes = MEMBERS.map((name) => nodeOf(name, ['up', 100]));
  const { pools, external } = await managerOf(() => nodes);
  const { backend, hand } = haproxy;
  let last = -1;
  let read = 0;
  /** Their program: what is older than the last is left, all else is set by the runtime socket. */
  const take = async ({ seq, members }: PoolMembers): Promise<void> => {
    if (seq < last) return;
    last = seq;
    const admin = { up: 'ready', drain: 'drain', down: 'maint' };
    for (const { node, state, weight } of members) {
      await hand(`set server ${backend}/${node} state ${admin[state]}`);
      if (state === 'up') await hand(`set server ${backend}/${node} weight ${weight}`);
    }
  };
  bench = {
    pass: async (wishes) => {
      nodes = MEMBERS.map((name) => nodeOf(name, wishes[name]));
      pools.touch();
      const news = receiver.taken.slice(read);
      read += news.length;
      for (const one of news) {
        expect(isGenuine(one, external.view().signingKey, Date.now())).toBe(true);
        await take(one.members);
      }
      return news.map(({ body }) => body);
    },
    rows: async () => ({}),
    shows: async () => {
      const words: Record<string, string> = { drain: '0', maint: 'out' };
      const has = Object.entries(await haproxy.has());
      return Object.fromEntries(
        has.map(([name, state]) => [name, words[state] ?? state.replace('ready ', '')]),
      );
    },
    takeOut: async () => undefined,
    weigh: async () => undefined,
    restart: async () => {
      await haproxy.stop();
      await haproxy.start();
      await take(external.members('web'));
    },
  };
});
afterAll(async () => {
  for (const act of undo.reverse()) await act();
  await haproxy.stop();
  await receiver.stop();
  await rm(folder, { recursive: true });
});

describe('[3.2] a balancer that somebody else runs', () => {
  const able = Object.keys(promises).filter((title) => cannot.external[title] === undefined);

  it.each(able)('%s', async (title) => promises[title]?.(bench));

  it.each(Object.entries(cannot.external))('cannot promise what others do: %s, since %s', (title) => {
    expect(Object.keys(promises)).toContain(title);
  });
});
