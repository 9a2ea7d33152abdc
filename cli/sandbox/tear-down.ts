/** How a sandbox goes down and leaves nothing running, whoever of it is still alive and whoever was killed. */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Layout } from './layout.ts';
import { allGone, daemonsOf, end, isAlive, type ProcessId } from './processes.ts';
import type { Say } from './say.ts';
import { readProcesses, removeUp } from './settings.ts';

/** A supervisor that stops in order needs this long at most: agents, manager, daemons. */
const SUPERVISOR_GRACE = 30_000;

/** Ends what a dead supervisor has left of manager and agents. Daemons stay: their agents take them over again. */
export async function endLeftovers(layout: Layout, clock: Clock): Promise<number> {
  const known = readProcesses(layout);
  const left = Object.values(known?.children ?? {}).filter(isAlive);
  await refuseSurvivors(left, clock);
  return left.length;
}

/** Ends the daemons of every node, balancers before those they balance. */
export async function endDaemons(layout: Layout, clock: Clock): Promise<number> {
  const daemons = nodeFolders(layout).flatMap((root) => daemonsOf({ root, run: join(root, 'run') }));
  await refuseSurvivors(daemons, clock);
  return daemons.length;
}

const nodeFolders = (layout: Layout): string[] =>
  readdirSync(layout.dir)
    .map((name) => layout.node(name).root)
    .filter((root) => existsSync(join(root, 'run')));

async function refuseSurvivors(processes: ProcessId[], clock: Clock): Promise<void> {
  const survivors = await end(processes, clock);
  if (survivors.length === 0) return;
  const pids = survivors.map(({ pid }) => pid).join(', ');
  throw new EvenkeelError('timeout', `these processes outlive SIGKILL: ${pids}`);
}

/** Stops the sandbox from outside: its supervisor in order when it lives, and then whatever is left. */
export async function tearDown(
  layout: Layout,
  { clock, say, purge }: { clock: Clock; say: Say; purge: boolean },
): Promise<void> {
  if (!existsSync(layout.dir)) return say(`nothing to stop: there is no ${layout.dir}`);
  const supervisor = readProcesses(layout)?.supervisor;
  const wasUp = supervisor !== undefined && isAlive(supervisor);
  if (wasUp) await stopSupervisor(supervisor, clock, say);
  const left = (await endLeftovers(layout, clock)) + (await endDaemons(layout, clock));
  await removeUp(layout);
  await rm(layout.processesFile, { force: true });
  if (left > 0) say(`ended ${left} processes that ${wasUp ? 'were left over' : 'a crash had left'}`);
  if (!wasUp && left === 0) say('nothing was running');
  if (purge) await removeSandbox(layout);
  say(purge ? `removed ${layout.dir}` : `down; the data stays in ${layout.dir} (--purge removes it)`);
}

/** Only a folder that a sandbox has made its own. */
async function removeSandbox(layout: Layout): Promise<void> {
  if (!existsSync(layout.settingsFile))
    throw new EvenkeelError('bad-request', `${layout.dir} holds no sandbox; nothing is removed`);
  await rm(layout.dir, { recursive: true, force: true });
}

async function stopSupervisor(supervisor: ProcessId, clock: Clock, say: Say): Promise<void> {
  say(`stopping the sandbox (supervisor ${supervisor.pid})`);
  process.kill(supervisor.pid, 'SIGTERM');
  if (await allGone([supervisor], SUPERVISOR_GRACE, clock)) return;
  await refuseSurvivors([supervisor], clock);
}
