/** A whole cluster in the lab: a manager beside the boxes, and agents that joined it, from the built bundles. */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../cli/client.ts';
import { nodesServe } from '../../cli/sandbox/ready.ts';
import { systemClock } from '../../common/clock.ts';
import { commandOf } from '../../common/programs.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Balancer } from '../../protocol/resources/cluster.ts';
import type { NodeView } from '../../protocol/views.ts';
import { type Boxes, type BoxOptions, createBoxes, failedFolder, type GroundOptions } from './boxes.ts';
import type { Guest } from './guest.ts';
import { bundle } from './host.ts';
import { addressIn, alsoIn } from './lan.ts';
import { foundManager, type LabManager } from './manager.ts';

/** A box that joins. Without `disk` it has one of 256 MB, since a node that forgot who it is would not come back. */
export interface NodeOptions extends BoxOptions {
  roles?: string[];
  /** Values for the parameters that the policies of its roles declare. */
  parameters?: Record<string, string | number | boolean>;
}

export interface LabOptions extends GroundOptions {
  nodes: NodeOptions[];
  /** The driver of the balancer role. */
  balancer?: Balancer;
  /** The number of the network by which nodes join and the manager is reached, the first by default. */
  clusterNetwork?: number;
  /** Applied once all have joined, before they are waited for. */
  documents?: unknown[];
}

/** The agent on one box. */
export interface LabAgent {
  /** SIGKILL. Its daemons go on; it stays dead unless `again`. */
  kill(options?: { again?: boolean }): Promise<void>;
  /** After a kill for good. */
  start(): Promise<void>;
}

export interface Lab extends Boxes {
  readonly manager: LabManager;
  /** The API, as the CLI speaks to it. */
  readonly api: Client;
  agent(name: string): LabAgent;
  /** Declares documents; nodes follow within seconds. */
  apply(documents: unknown[]): Promise<void>;
  /** Waits until these nodes (all of those that have a role) are connected and as declared, and serve. */
  settled(names?: string[], options?: { timeout?: number }): Promise<NodeView[]>;
}

const DISK = 256;
const JOIN_MS = 90_000;
const SETTLED_MS = 90_000;

/** Boots the boxes, starts a manager, lets all join, and declares. When it throws, nothing is left but the logs. */
export async function createLab(options: LabOptions): Promise<Lab> {
  const { nodes, balancer = 'lvs', clusterNetwork = 0, documents = [], ...ground } = options;
  const boxes = createBoxes(
    nodes.map(({ roles, parameters, ...box }) => ({ disk: DISK, ...box })),
    ground,
  );
  let made: Boxes = boxes;
  try {
    const manager = foundManager(boxes.folder, balancer, addressIn(clusterNetwork, 1));
    const lab = assemble(boxes, manager, nodes);
    made = lab;
    await Promise.all([lab.boot(), lab.manager.start()]);
    await Promise.all(nodes.map((node) => enter(lab.box(node.name), node, lab.api, clusterNetwork)));
    if (documents.length > 0) await lab.apply(documents);
    return lab;
  } catch (err) {
    const where = failedFolder('start');
    await made.saveLogs(where);
    await made.stop();
    throw new Error(`the lab did not start: ${messageOf(err)}; its logs: ${where}`, { cause: err });
  }
}

function assemble(boxes: Boxes, manager: LabManager, nodes: NodeOptions[]): Lab {
  const { api } = manager;
  const serving = nodes.filter(({ roles = [] }) => roles.length > 0).map(({ name }) => name);
  return {
    ...boxes,
    manager,
    api,
    agent: (name) => ({
      kill: (how) => boxes.box(name).killKept('agent', how),
      start: () => boxes.box(name).keepAgain('agent'),
    }),
    apply: async (documents) => {
      await api.call('apply', { body: { documents } });
    },
    settled: (names = serving, { timeout = SETTLED_MS } = {}) => {
      const control = { nodes: async () => (await api.call('nodes')).items };
      return nodesServe(control, names, { clock: systemClock, deadline: timeout });
    },
    saveLogs: async (to) => {
      await boxes.saveLogs(to);
      if (existsSync(manager.log)) copyFileSync(manager.log, join(to, 'manager.log'));
    },
    stop: async () => {
      await manager.kill();
      await boxes.stop();
    },
  };
}

/** As on any box: an invitation, `join`, and then the agent for as long as the box is on. */
async function enter(
  box: Guest,
  { name, roles = [], parameters = {} }: NodeOptions,
  api: Client,
  network: number,
): Promise<void> {
  copyFileSync(bundle('agent'), join(box.folder, 'agent.js'));
  const { join: invitation } = await api.call('invite', { body: { name, roles, parameters } });
  const words = (args: string[]) => commandOf('agent', '/lab/agent.js', args).join(' ');
  const address = alsoIn(network, box.address);
  await box.run(words(['join', `'${invitation}'`, '--name', name, '--address', address, '--yes']), {
    timeout: JOIN_MS,
  });
  await box.keep('agent', `exec ${words(['run'])}`);
}
