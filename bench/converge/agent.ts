/** Rows: what the shipped agent holds and uses on a box with many sites, once it has converged and nothing happens. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Bench } from '../bench.ts';
import { median } from '../figures.ts';
import { cpuSeconds, residentKb } from '../resident.ts';
import { type Box, withBox } from './box.ts';
import { measureDrift } from './drift.ts';

const IDLE_MS = 20_000;
/** After converging V8 takes its time to tidy up; that is not idling. */
const SETTLE_MS = 20_000;

export async function measureAgent(bench: Bench, sites: number): Promise<void> {
  bench.say(`${sites} sites: a manager, and the agent as it ships with its nginx`);
  await withBox(bench, sites, async (box) => {
    addChecker(bench, sites, box);
    await measureRest(bench, sites, box);
    await measureDrift(bench, sites, box);
  });
}

/** Not in the other rows, since it costs every tool the same. */
function addChecker(bench: Bench, sites: number, { first }: Box): void {
  const base = {
    size: sites,
    layout: 'shards',
    unit: 'ms',
    note: 'not part of the rows above: it costs every tool the same',
  };
  for (const step of ['validate', 'reload', 'verify'])
    bench.add({ ...base, row: `nginx itself, first convergence: ${step}`, value: first.timing[step] ?? 0 });
}

async function measureRest(bench: Bench, sites: number, { agent }: Box): Promise<void> {
  await bench.clock.sleep(SETTLE_MS);
  bench.say(`${sites} sites: the agent idle for ${IDLE_MS / 1000} s`);
  const [cpu, begun] = [cpuSeconds(agent.pid), bench.clock.monotonic()];
  const resident: number[] = [];
  while (bench.clock.monotonic() < begun + IDLE_MS) {
    await bench.clock.sleep(1000);
    resident.push(residentKb(agent.pid) / 1024);
  }
  const share = (cpuSeconds(agent.pid) - cpu) / ((bench.clock.monotonic() - begun) / 1000);
  const base = { size: sites, budgetOf: 'value' as const };
  bench.add({
    ...base,
    row: 'agent memory',
    value: median(resident),
    unit: 'MB',
    floor: await bareNodeMb(),
    floorName: 'a Node process that does nothing',
    budget: 100,
    runs: resident,
  });
  const note = 'its beats and checks included, its children too';
  bench.add({ ...base, row: 'agent idle CPU', value: share * 100, unit: '% of a core', budget: 0.5, note });
}

/** Resident memory of a Node process that does nothing. */
async function bareNodeMb(): Promise<number> {
  const script = 'setTimeout(() => console.log(process.memoryUsage.rss()), 500)';
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { timeout: 10_000 });
  return Number(stdout) / 1024 ** 2;
}
