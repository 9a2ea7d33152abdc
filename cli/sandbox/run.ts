/** The life of a sandbox: take the lock, clean up after a crash, bring it up, look after it, take it down. */
import { mkdir, rm } from 'node:fs/promises';
import type { Clock } from '../../common/clock.ts';
import { takeLock } from '../../common/lock.ts';
import { canonical } from '../../protocol/resource.ts';
import { type Brought, bringUp } from './bring-up.ts';
import { type Layout, type Product, refuseUnfit } from './layout.ts';
import { identify, type ProcessId } from './processes.ts';
import { createSteps, type Say } from './say.ts';
import { removeUp, type Up, writeProcesses, writeUp } from './settings.ts';
import { standing } from './standing.ts';
import { createSupervisor, type Supervisor } from './supervise.ts';
import { endDaemons, endLeftovers } from './tear-down.ts';

export interface Run {
  layout: Layout;
  product: Product;
  nodes: number;
  clock: Clock;
  say: Say;
  /** Ends the sandbox, at any moment of its life. */
  signal: AbortSignal;
  /** Told once, when all serves. */
  onUp: (up: Up) => void;
}

/** How often up.json is held against the pids of the moment. */
const LOOK_EVERY = 500;

/** Runs until the signal; returns whether it ran at all, or found another supervisor at work. */
export async function runSandbox(run: Run): Promise<'ran' | 'taken'> {
  const { layout, say } = run;
  refuseUnfit(layout);
  await mkdir(layout.dir, { recursive: true });
  const release = await takeLock('sandbox', layout.dir);
  if (!release) return 'taken';
  const supervisor = supervise(run);
  try {
    await cleanStart(run);
    const brought = await bringUp(run.nodes, { ...run, supervisor, step: createSteps(run) });
    run.onUp(await publish(brought, run, supervisor));
    await lookAfter(brought, run, supervisor);
  } catch (err) {
    if (!run.signal.aborted) throw err;
  } finally {
    say('stopping: agents, manager, daemons');
    await supervisor.stop();
    await endDaemons(layout, run.clock);
    await removeUp(layout);
    await rm(layout.processesFile, { force: true });
    await release();
  }
  return 'ran';
}

function supervise({ layout, clock, say }: Run): Supervisor {
  const self = identify(process.pid) as ProcessId;
  const record = (children: Record<string, ProcessId>) =>
    writeProcesses(layout, { supervisor: self, children });
  return createSupervisor({ clock, say, record });
}

/** After a crash: processes of a dead supervisor are ended before the record of them is replaced. */
async function cleanStart({ layout, clock, say }: Run): Promise<void> {
  const left = await endLeftovers(layout, clock);
  if (left > 0) say(`  ended ${left} processes that an earlier supervisor had left`);
  await removeUp(layout);
  await writeProcesses(layout, { supervisor: identify(process.pid) as ProcessId, children: {} });
}

async function publish(brought: Brought, { layout }: Run, supervisor: Supervisor): Promise<Up> {
  const up = standing(brought, layout, supervisor.running());
  await writeUp(layout, up);
  return up;
}

/** Keeps up.json true until the end: pids change when something dies and is started again. */
async function lookAfter(brought: Brought, run: Run, supervisor: Supervisor): Promise<void> {
  let shown = '';
  while (!run.signal.aborted) {
    const up = standing(brought, run.layout, supervisor.running());
    if (canonical(up) !== shown) await writeUp(run.layout, up);
    shown = canonical(up);
    await run.clock.sleep(LOOK_EVERY, run.signal);
  }
}
