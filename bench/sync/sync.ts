/** The rows about keeping many nodes in step, in their order. */
import type { Bench } from '../bench.ts';
import { measureAccepted } from './accepted.ts';
import { measureFleets } from './fleets.ts';
import { measureVerdict } from './verdict.ts';

export async function measureSync(bench: Bench): Promise<void> {
  await measureAccepted(bench);
  for (const agents of bench.options.agents) await measureFleets(bench, agents);
  await measureVerdict(bench, Math.max(...bench.options.agents));
}
