/** The benchmarks: measures what design budgets name, beside the floor of the same run. Slow is reported; only broken fails. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../common/clock.ts';
import { messageOf } from '../protocol/errors.ts';
import { type Bench, createBench } from './bench.ts';
import { machineLine, machineOf } from './machine.ts';
import { type Options, optionsFrom, usage } from './options.ts';
import { tableOf } from './table.ts';

const print = (line: string) => process.stderr.write(`${line}\n`);
const root = join(process.cwd(), 'var', `bench-${process.pid}`);

/** Each subject is loaded only when it is asked for. */
async function measure(bench: Bench): Promise<void> {
  const { subject } = bench.options;
  if (subject === 'converge') await (await import('./converge/converge.ts')).measureConverge(bench);
  if (subject === 'sync') await (await import('./sync/sync.ts')).measureSync(bench);
  if (subject === 'queue') await (await import('./queue/queue.ts')).measureQueue(bench);
  if (subject === 'load') await (await import('./load/measure.ts')).measureLoad(bench);
}

async function run(options: Options): Promise<void> {
  await mkdir(root, { recursive: true });
  const machine = machineOf(root);
  print(machineLine(machine));
  const bench = createBench(options, { root, clock: systemClock, print });
  try {
    await measure(bench);
  } finally {
    await bench.clean();
  }
  const text = options.json
    ? JSON.stringify({ machine, rows: bench.rows }, null, 2)
    : `${machineLine(machine)}\n\n${tableOf(bench.rows)}`;
  process.stdout.write(`${text}\n`);
}

function parsed(): Options | undefined {
  try {
    return optionsFrom(process.argv.slice(2));
  } catch (err) {
    print(`bench: ${messageOf(err)}\n\n${usage}`);
    return undefined;
  }
}

const options = parsed();
if (!options) process.exit(2);
await run(options).then(
  () => process.exit(0),
  (err: unknown) => {
    print(`bench: ${err instanceof Error ? err.stack : messageOf(err)}`);
    process.exit(1);
  },
);
