/** One size of fleet: made, connected, and measured row by row. */
import type { Bench } from '../bench.ts';
import { residentKb } from '../resident.ts';
import { sitesUpTo } from '../sites.ts';
import { startWorker } from '../worker.ts';
import { createApi } from './api.ts';
import { measureReturn } from './back.ts';
import { measureChange, SITES } from './change.ts';
import { makeCluster, runManager } from './cluster.ts';
import { serves } from './serves.ts';

/** With fewer agents, what the manager holds anyway would be shared among too few. */
const ENOUGH_FOR_MEMORY = 500;

export async function measureFleets(bench: Bench, agents: number): Promise<void> {
  bench.say(`${agents} agents: certificates, a store with ${SITES} sites`);
  const folder = await bench.folder(`fleet-${agents}`);
  const cluster = await makeCluster({ folder, members: agents, resources: sitesUpTo(SITES) });
  const fleet = startWorker('./fleet.ts', import.meta.url);
  let manager = runManager(cluster);
  const api = createApi(cluster);
  try {
    await serves(cluster, api, bench);
    const before = residentKb(manager.pid);
    bench.say(`${agents} agents: connecting over mutual TLS`);
    await fleet.call('start', cluster, 120_000);
    await bench.clock.sleep(3_000);
    const memory = (residentKb(manager.pid) - before) / agents;
    const scene = { agents, cluster, fleet, api };
    const floorKb = await measureChange(bench, scene);
    manager = await measureReturn(bench, { ...scene, manager });
    if (agents >= ENOUGH_FOR_MEMORY) addMemory(bench, agents, memory, floorKb);
  } finally {
    await fleet.stop();
    api.close();
    await manager.stop();
  }
}

function addMemory(bench: Bench, agents: number, kbEach: number, floorKb: number): void {
  bench.add({
    row: 'manager memory for each agent',
    size: agents,
    value: kbEach,
    unit: 'kB',
    floor: floorKb,
    floorName: 'aedes alone, mutual TLS',
    budget: 100,
    budgetOf: 'value',
    note: 'resident memory with all connected, less that before, shared among them',
  });
}
