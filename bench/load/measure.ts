/** The subject `load`: a sandbox under load while things are killed, drained, changed and restarted, judged by HAProxy's own log. */
import { startSandbox } from '../../test/support/sandbox.ts';
import type { Bench } from '../bench.ts';
import { endOf, type LoadResult, printResult, runLoad } from './load.ts';

const SECONDS = 60;
const RATE = 520;

/** Both modes; every failed request that no event explains is one too many. */
export async function measureLoad(bench: Bench): Promise<void> {
  const { clock, say } = bench;
  say('load: a sandbox comes up');
  const sandbox = await startSandbox();
  try {
    for (const mode of ['shipped', 'verdicts'] as const) {
      say(`load: ${SECONDS} s at ${RATE} requests a second, ${mode}`);
      const result = await runLoad({ sandbox, seconds: SECONDS, rate: RATE, clock, mode, say });
      printResult(result, say);
      addRows(bench, mode, result);
    }
  } finally {
    await sandbox.remove();
  }
}

function addRows({ add }: Bench, mode: string, { perSecond, unexplained, events }: LoadResult): void {
  const base = { layout: mode, budgetOf: 'value' as const };
  add({ ...base, row: 'requests', value: perSecond, unit: '/s', better: 'higher', budget: 500 });
  add({
    ...base,
    row: 'failed, and no event explains it',
    value: unexplained.length,
    unit: 'requests',
    budget: 0,
  });
  for (const event of events) {
    const row = `failed: ${event.name}`;
    const note = `${row}, ${mode}: traffic could still go there for ${(endOf(event) - event.at).toFixed(0)} ms`;
    add({ ...base, row, value: event.failed.length, unit: 'requests', note });
  }
}
