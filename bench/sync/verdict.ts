/** Row: from a node's report to what a real HAProxy has, while many nodes beat. */
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createTalk, type Talk } from '../../agent/drivers/haproxy-socket.ts';
import { choosePorts } from '../../cli/sandbox/ports.ts';
import { parseResource, type Resource } from '../../protocol/resource.ts';
import type { Bench } from '../bench.ts';
import { median, percentile } from '../figures.ts';
import { startRealAgent, until } from '../real-agent.ts';
import { sharedNow, startWorker, type Worker } from '../worker.ts';
import { createApi } from './api.ts';
import { ADDRESS, makeCluster, memberAddress, memberName, runManager } from './cluster.ts';
import { serves } from './serves.ts';

/** Of all that beat, these are in the pool: a director probes every member each second, and it shares the machine. */
const MEMBERS = 20;
const TURNS = 100;
const CHECK = { type: 'check', unit: 'web-nginx', check: 'http' } as const;

export async function measureVerdict(bench: Bench, agents: number): Promise<void> {
  bench.say(`verdicts: ${agents} agents beating, ${MEMBERS} of them members of a pool`);
  const own = Array.from({ length: MEMBERS }, (_, index) => memberAddress(index));
  const ports = await choosePorts({ web: own, balancer: [ADDRESS] });
  const cluster = await makeCluster({
    folder: await bench.folder('verdict'),
    members: agents,
    roles: (index) => [index < MEMBERS ? 'web' : 'resting'],
    resources: [poolOf(ports)],
  });
  const manager = runManager(cluster);
  const api = createApi(cluster);
  const fleet = startWorker('./fleet.ts', import.meta.url);
  const doors = await openDoors(own, ports.web);
  try {
    await serves(cluster, api, bench);
    await fleet.call('start', cluster, 120_000);
    const parameters = { ...(process.getuid?.() === 0 ? {} : { haproxyUser: '' }) };
    const director = await startRealAgent(bench, api, {
      name: 'director',
      address: ADDRESS,
      roles: ['balancer'],
      parameters,
    });
    try {
      const talk = createTalk({ socket: join(director.run, 'haproxy.sock'), clock: bench.clock });
      await measureWith(bench, agents, fleet, talk);
    } finally {
      await director.stop();
    }
  } finally {
    await fleet.stop();
    api.close();
    await manager.stop();
    for (const door of doors) door.close();
  }
}

function poolOf({ web, balancer }: { web: number; balancer: number }): Resource {
  const pool = { role: 'web', check: 'http', probe: { type: 'tcp' } };
  const spec = { vip: ADDRESS, ports: [{ port: balancer, target: web }], pool };
  const parsed = parseResource({ kind: 'VirtualService', name: 'web', spec });
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  return parsed.resource;
}

/** What the director's probes of the members reach. */
const openDoors = (addresses: string[], port: number): Promise<Server[]> =>
  Promise.all(
    addresses.map(
      (address) =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer((socket) => {
            socket.on('error', () => socket.destroy());
            socket.end();
          });
          server.once('error', reject);
          server.listen(port, address, () => resolve(server));
        }),
    ),
  );

async function measureWith(bench: Bench, agents: number, fleet: Worker, talk: Talk): Promise<void> {
  const names = Array.from({ length: MEMBERS }, (_, index) => memberName(index));
  for (const name of names) await say(fleet, name, 'up');
  await until(bench, async () => names.every(isIn(await statesOf(talk))), {
    what: 'every member in the pool',
  });
  await heeded(bench, fleet, talk);
  bench.say(`verdicts: ${TURNS} members reported down, one after the other`);
  const values: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1)
    values.push(await turnOf(bench, fleet, talk, memberName(turn % MEMBERS)));
  const floor = await socketFloor(talk);
  bench.add({
    row: 'report to verdict in HAProxy, p99',
    size: agents,
    value: percentile(values, 0.99),
    unit: 'ms',
    floor: percentile(floor, 0.99),
    floorName: 'one command on its runtime socket, and reading it back',
    budget: 50,
    budgetOf: 'value',
    runs: values,
    note: `from the report leaving its node to the state read from the runtime socket; median ${median(values).toFixed(1)} ms`,
  });
}

const say = (fleet: Worker, node: string, state: 'up' | 'down') =>
  fleet.call<number>('report', { node, body: { ...CHECK, state, detail: 'bench' } });

/** A manager that has just started does not believe reports yet. */
async function heeded(bench: Bench, fleet: Worker, talk: Talk): Promise<void> {
  const first = memberName(0);
  await say(fleet, first, 'down');
  await until(bench, async () => !isIn(await statesOf(talk))(first), { what: 'the first verdict' });
  await say(fleet, first, 'up');
  await until(bench, async () => isIn(await statesOf(talk))(first), { what: 'the way back' });
}

/** Moments differ from turn to turn, so that none keeps step with a timer of ours. */
const pauseOf = (node: string) => 20 + ((Number(node.slice(-2)) * 7) % 40);

async function turnOf(bench: Bench, fleet: Worker, talk: Talk, node: string): Promise<number> {
  const begun = await say(fleet, node, 'down');
  await until(bench, async () => !isIn(await statesOf(talk))(node), {
    what: 'the verdict',
    ms: 10_000,
    every: 1,
  });
  const took = sharedNow() - begun;
  await say(fleet, node, 'up');
  await until(bench, async () => isIn(await statesOf(talk))(node), {
    what: 'the way back',
    ms: 10_000,
    every: 5,
  });
  await bench.clock.sleep(pauseOf(node));
  return took;
}

/** Each server's backend and what it was told: 0 where it takes traffic. */
type States = Map<string, { backend: string; told: number }>;

const isIn = (states: States) => (node: string) => states.get(node)?.told === 0;

/** The columns of `show servers state`: be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ... */
async function statesOf(talk: Talk): Promise<States> {
  const rows = ((await talk('show servers state')) ?? '').split('\n').map((line) => line.split(' '));
  return new Map(
    rows.flatMap(([, backend = '', , name, , , told]) =>
      name ? [[name, { backend, told: Number(told) }]] : [],
    ),
  );
}

async function socketFloor(talk: Talk): Promise<number[]> {
  const name = memberName(0);
  const backend = (await statesOf(talk)).get(name)?.backend;
  const times: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const begun = sharedNow();
    await talk(`set server ${backend}/${name} weight 100`);
    await statesOf(talk);
    times.push(sharedNow() - begun);
  }
  return times;
}
