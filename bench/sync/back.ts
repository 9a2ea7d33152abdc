/** Row: every agent back and consistent after the manager was restarted. */
import type { Bench } from '../bench.ts';
import type { Running } from '../bundle.ts';
import { median } from '../figures.ts';
import { sharedNow } from '../worker.ts';
import { credentialOf, runManager } from './cluster.ts';
import { handshakeFloor } from './fleet-floors.ts';
import type { Scene } from './scene.ts';
import { isOpen, serves } from './serves.ts';

/** Returns the manager that runs afterwards. */
export async function measureReturn(
  bench: Bench,
  { agents, cluster, fleet, api, manager }: Scene & { manager: Running },
): Promise<Running> {
  bench.say(`${agents} agents: bare mutual TLS handshakes`);
  const rate = await handshakeFloor({ credential: credentialOf(cluster), server: cluster.server });
  const opened: number[] = [];
  const started: number[] = [];
  let running = manager;
  for (let turn = 0; turn < bench.options.runs; turn += 1) {
    bench.say(`${agents} agents: manager restarted, run ${turn + 1}`);
    await running.stop();
    const begun = sharedNow();
    running = runManager(cluster);
    while (!(await isOpen(cluster.ports.broker))) await bench.clock.sleep(5);
    const open = sharedNow();
    const moments = await fleet.call<number[]>('back', { since: begun }, 70_000);
    opened.push(Math.max(...moments) - open);
    started.push(Math.max(...moments) - begun);
    await serves(cluster, api, bench);
  }
  const row = 'all agents back after a restart of the manager';
  const floor = { floor: (agents / rate) * 1000, floorName: `mutual TLS handshakes, ${rate.toFixed(0)}/s` };
  const base = { row, size: agents, unit: 'ms', ...floor };
  bench.add({
    ...base,
    layout: 'from its port being open',
    value: median(opened),
    budget: 2,
    runs: opened,
  });
  bench.add({ ...base, layout: 'from its start', value: median(started), runs: started });
  return running;
}
