/** Rows: many commands waiting at the manager, and worked off by many nodes at once. */
import { join } from 'node:path';
import { parseResource } from '../../protocol/resource.ts';
import type { Bench } from '../bench.ts';
import { median } from '../figures.ts';
import { cpuSeconds, residentKb } from '../resident.ts';
import { type Api, createApi } from '../sync/api.ts';
import { type Cluster, credentialOf, makeCluster, runManager } from '../sync/cluster.ts';
import { serves } from '../sync/serves.ts';
import { sharedNow, startWorker, type Worker } from '../worker.ts';

const NODES = 100;
const RUNS = 100;
const COMMANDS = NODES * RUNS;
const LONGEST_MS = 300_000;

/** Commands or requests: how many a second, milliseconds of CPU for each, and what was resident, in MB. */
interface Worked {
  perSecond: number;
  cpuMs: number;
}
interface Once extends Worked {
  queuedPerSecond: number;
  atRest: number;
  waiting: number;
  peak: number;
  after: number;
}

export async function measureQueue(bench: Bench): Promise<void> {
  const figures: Once[] = [];
  const floors: Worked[] = [];
  for (let turn = 1; turn <= bench.options.runs; turn += 1) {
    const folder = await bench.folder(`queue-${turn}`);
    const cluster = await makeCluster({ folder, members: NODES, resources: [look()] });
    bench.say(`queue: ${COMMANDS} requests that leave a row each, run ${turn}`);
    floors.push(await floorOf(cluster, folder));
    bench.say(`queue: ${COMMANDS} commands over ${NODES} nodes, run ${turn}`);
    figures.push(await once(bench, cluster));
  }
  addRows(bench, figures, floors);
}

function look() {
  const spec = { run: ['df'], idempotent: true };
  const parsed = parseResource({ kind: 'Action', name: 'look', spec });
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  return parsed.resource;
}

async function floorOf(cluster: Cluster, folder: string): Promise<Worked> {
  const server = startWorker('../floors/rows.ts', import.meta.url);
  const client = startWorker('../floors/rows.ts', import.meta.url);
  try {
    const file = join(folder, 'floor.sqlite');
    const port = await server.call<number>('listen', { ...cluster.server, file });
    const body = 'x'.repeat(500);
    const how = { ...credentialOf(cluster), port, clients: NODES, each: RUNS, body };
    const before = cpuSeconds(server.pid);
    const ms = await client.call<number>('measure', how, LONGEST_MS);
    return worked(ms, cpuSeconds(server.pid) - before);
  } finally {
    await client.stop();
    await server.stop();
  }
}

const worked = (ms: number, cpu: number): Worked => ({
  perSecond: (COMMANDS / ms) * 1000,
  cpuMs: (cpu * 1000) / COMMANDS,
});
const mbOf = (pid: number) => residentKb(pid) / 1024;

async function once(bench: Bench, cluster: Cluster): Promise<Once> {
  const manager = runManager(cluster);
  const api = createApi(cluster);
  const nodes = startWorker('./nodes.ts', import.meta.url);
  try {
    await serves(cluster, api, bench);
    await nodes.call('start', cluster, 120_000);
    await bench.clock.sleep(3_000);
    const atRest = mbOf(manager.pid);
    const queuedPerSecond = await queueAll(api, cluster);
    const waiting = mbOf(manager.pid);
    const drained = await drain(bench, { manager: manager.pid, api, nodes, cluster });
    await mustBeDone(api);
    await bench.clock.sleep(10_000);
    return { queuedPerSecond, atRest, waiting, ...drained, after: mbOf(manager.pid) };
  } finally {
    await nodes.stop();
    api.close();
    await manager.stop();
  }
}

/** All of it waits: every queue is paused. */
async function queueAll(api: Api, { members }: Cluster): Promise<number> {
  for (const { node } of members)
    await api.call('POST', `/api/v1/queues/${node.name}/pause`, { reason: 'bench' });
  const begun = sharedNow();
  for (let run = 0; run < RUNS; run += 1)
    await api.call('POST', '/api/v1/runs', { action: 'look', on: 'all', jitter: 0 });
  return (COMMANDS / (sharedNow() - begun)) * 1000;
}

interface Draining {
  manager: number;
  api: Api;
  nodes: Worker;
  cluster: Cluster;
}

async function drain(bench: Bench, { manager, api, nodes, cluster }: Draining) {
  let peak = 0;
  const stopWatch = bench.clock.every(100, () => {
    peak = Math.max(peak, mbOf(manager));
  });
  try {
    const [begun, cpu] = [sharedNow(), cpuSeconds(manager)];
    for (const { node } of cluster.members) await api.call('POST', `/api/v1/queues/${node.name}/resume`, {});
    const how = { count: COMMANDS, ms: LONGEST_MS };
    const end = await nodes.call<number>('worked', how, LONGEST_MS + 10_000);
    return { ...worked(end - begun, cpuSeconds(manager) - cpu), peak };
  } finally {
    stopWatch();
  }
}

async function mustBeDone(api: Api): Promise<void> {
  const { items } = await api.call<{ items: { counts: Record<string, number> }[] }>(
    'GET',
    `/api/v1/runs?limit=${RUNS + 1}`,
  );
  const done = items.filter(({ counts }) => counts.succeeded === NODES).length;
  if (items.length !== RUNS || done !== RUNS) throw new Error(`of ${RUNS} runs ${done} were done`);
}

function addRows(bench: Bench, figures: readonly Once[], floors: readonly Worked[]): void {
  const of = (name: keyof Once) => figures.map((figure) => figure[name]);
  const floorsOf = (name: keyof Worked) => floors.map((figure) => figure[name]);
  const floorName = 'a request over mutual TLS that leaves a row';
  const row = { size: COMMANDS, layout: `${NODES} nodes` };
  const runs = of('perSecond');
  const floor = median(floorsOf('perSecond'));
  bench.add({
    ...{ ...row, row: 'commands worked off', value: median(runs), unit: '/s', runs, better: 'higher' },
    ...{ floor, floorName },
    note: 'manager, nodes and both sides of the floor share the machine; a node works on one at a time',
  });
  const cpu = of('cpuMs');
  bench.add({
    ...{ ...row, row: 'manager CPU for each command', value: median(cpu), unit: 'ms', runs: cpu },
    ...{ floor: median(floorsOf('cpuMs')), floorName },
  });
  const queued = of('queuedPerSecond');
  const each = `requests of ${NODES} commands, one after the other`;
  bench.add({
    ...row,
    row: 'commands queued',
    value: median(queued),
    unit: '/s',
    runs: queued,
    better: 'higher',
    note: each,
  });
  const rest = median(of('atRest'));
  for (const [name, values] of [
    ['all waiting', of('waiting')],
    ['peak while they are worked off', of('peak')],
    ['ten seconds after', of('after')],
  ] as const)
    bench.add({
      ...{ ...row, row: `manager memory, ${name}`, value: median(values), unit: 'MB', runs: [...values] },
      ...{ floor: rest, floorName: 'the same before, nodes connected' },
    });
}
