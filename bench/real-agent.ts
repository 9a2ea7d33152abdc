/** An agent as it ships, on a box that is a folder: it joins, runs from its bundle, and its daemons end with it. */
import { join } from 'node:path';
import { daemonsOf, end } from '../cli/sandbox/processes.ts';
import type { Bench } from './bench.ts';
import { bundleOnce, runBundle } from './bundle.ts';
import type { Api } from './sync/api.ts';

export interface Box {
  name: string;
  address: string;
  roles: string[];
  parameters: Record<string, string | number | boolean>;
}

export interface RealAgent {
  pid: number;
  state: string;
  run: string;
  /** Throws, with its last words, when it has ended by itself. */
  mustRun(): void;
  stop(): Promise<void>;
}

export async function startRealAgent(bench: Bench, api: Api, box: Box): Promise<RealAgent> {
  const root = await bench.folder(box.name);
  const [state, run, log] = ['state', 'run', 'log'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  const { name, roles, parameters } = box;
  const invite = await api.call<{ join: string }>('POST', '/api/v1/invites', { name, roles, parameters });
  const folders = ['--state', state, '--run', run, '--log', log];
  const where = ['--name', name, '--address', box.address, '--yes', ...folders];
  await bundleOnce('agent', ['join', invite.join, ...where]);
  const agent = runBundle('agent', ['run', '--state', state], join(root, 'agent.log'));
  const stop = async () => {
    await agent.stop();
    await end(daemonsOf({ root, run }), bench.clock);
  };
  return { pid: agent.pid, state, run, mustRun: agent.mustRun, stop };
}

/** Polls, with an end. */
export async function until(
  { clock }: Pick<Bench, 'clock'>,
  isTrue: () => boolean | Promise<boolean>,
  { what, ms = 60_000, every = 50 }: { what: string; ms?: number; every?: number },
): Promise<void> {
  const deadline = clock.monotonic() + ms;
  while (!(await isTrue())) {
    if (clock.monotonic() > deadline) throw new Error(`${what} did not come within ${ms / 1000} s`);
    await clock.sleep(every);
  }
}
