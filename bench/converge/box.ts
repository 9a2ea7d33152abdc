/** A box with many sites: a manager that declares them, and the shipped agent that makes them so. */
import { choosePorts } from '../../cli/sandbox/ports.ts';
import type { NodeView } from '../../protocol/views.ts';
import type { Bench } from '../bench.ts';
import { type RealAgent, startRealAgent, until } from '../real-agent.ts';
import { sitesUpTo } from '../sites.ts';
import { type Api, createApi } from '../sync/api.ts';
import { makeCluster, runManager } from '../sync/cluster.ts';
import { serves } from '../sync/serves.ts';
import { ADDRESS, NODE, parametersFor, UNIT } from './declared.ts';

export type Unit = NodeView['units'][number];

export interface Box {
  agent: RealAgent;
  /** How the first pass over its unit ended. */
  first: Unit;
}

const PATIENCE = 120_000;

/** Runs `use` with a box that has converged for the first time. */
export async function withBox(bench: Bench, sites: number, use: (box: Box) => Promise<void>): Promise<void> {
  const folder = await bench.folder('box');
  const cluster = await makeCluster({ folder, members: 0, resources: sitesUpTo(sites) });
  const manager = runManager(cluster);
  const api = createApi(cluster);
  try {
    await serves(cluster, api, bench);
    const { http, https } = await choosePorts({ http: [ADDRESS], https: [ADDRESS] });
    const parameters = { ...parametersFor(http), httpsPort: https };
    const agent = await startRealAgent(bench, api, {
      name: NODE,
      address: ADDRESS,
      roles: ['web'],
      parameters,
    });
    try {
      await use({ agent, first: await converged(bench, api, agent) });
    } finally {
      await agent.stop();
    }
  } finally {
    api.close();
    await manager.stop();
  }
}

async function converged(bench: Bench, api: Api, agent: RealAgent): Promise<Unit> {
  let view: NodeView | undefined;
  const isThere = async () => {
    agent.mustRun();
    view = await api.call<NodeView>('GET', `/api/v1/nodes/${NODE}`);
    return view.converged && view.units.some(({ unit }) => unit === UNIT);
  };
  await until(bench, isThere, { what: 'the first convergence of the shipped agent', ms: PATIENCE });
  const unit = view?.units.find((candidate) => candidate.unit === UNIT);
  if (!unit) throw new Error(`there is no unit ${UNIT}`);
  return unit;
}
