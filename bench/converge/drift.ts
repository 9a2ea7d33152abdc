/** Row: files edited by hand under the shipped agent, and when their right bytes are back. */
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { median, percentile } from '../figures.ts';
import { until } from '../real-agent.ts';
import type { Box } from './box.ts';
import { UNIT } from './declared.ts';

/** Each another file: who corrects one path again and again raises a fight. */
const EDITS = 40;
/** The quiet time that gathers a burst of edits into one repair: no watcher that waits for it can be quicker. */
const QUIET_MS = 200;

export async function measureDrift(bench: Bench, sites: number, { agent }: Box): Promise<void> {
  bench.say(`${sites} sites: ${EDITS} files edited by hand`);
  const folder = join(agent.state, 'units', UNIT, 'files', 'sites');
  const places = (await readdir(folder)).sort().slice(0, EDITS);
  const values: number[] = [];
  for (const name of places) values.push(await editOne(bench, join(folder, name)));
  bench.add({
    row: 'hand edit to right bytes again, p99',
    size: sites,
    layout: 'shards',
    value: percentile(values, 0.99),
    unit: 'ms',
    floor: QUIET_MS,
    floorName: 'the quiet time',
    budget: 1.5,
    runs: values,
    note: `p99 of ${values.length} edits; median ${median(values).toFixed(0)} ms`,
  });
}

async function editOne(bench: Bench, place: string): Promise<number> {
  const right = await readFile(place, 'utf8');
  await appendFile(place, '# edited by hand\n');
  const begun = bench.clock.monotonic();
  const isRight = async () => (await readFile(place, 'utf8').catch(() => '')) === right;
  await until(bench, isRight, { what: 'the right bytes', ms: 90_000, every: 1 });
  const took = bench.clock.monotonic() - begun;
  // The pass that repaired it ends with a report; the next edit meets an agent at rest.
  await bench.clock.sleep(500);
  return took;
}
