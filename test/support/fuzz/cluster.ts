/** The cluster that the fuzz shakes: one manager and its nodes, joined, over wires that can be cut; and what is declared at the moment. */
import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { newKey, requestFor } from '../../../agent/identity/csr.ts';
import type { LinkDesired } from '../../../agent/link/link.ts';
import type { Desired } from '../../../agent/state/desired.ts';
import type { Edit } from '../../../common/rules.ts';
import type { WriteRequest } from '../../../manager/store/store.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { temporaryFolder } from '../courier.ts';
import { type Agent, createAgent, type Paths } from './agent.ts';
import * as declared from './declared.ts';
import { createMessages, type Messages } from './faults.ts';
import { createManager, type Manager } from './manager.ts';
import { createWire, type Wire } from './wire.ts';

export interface Member {
  name: string;
  agent: Agent;
  paths: Paths;
  wires: { broker: Wire; machines: Wire };
  /** What is declared of it; `key` is the fingerprint that it joined with. */
  declared: { roles: string[]; version: number; key: string };
}

export interface Cluster {
  manager: Manager;
  messages: Messages;
  members: Member[];
  /** The version of each resource that is declared now, by name. */
  sites: Map<string, number>;
  stores: Map<string, number>;
  policies: Map<declared.PolicyName, number>;
  write(edits: Edit[], guard?: WriteRequest['guard']): Promise<void>;
  stop(): Promise<void>;
}

export const put = (resource: Resource): Edit => ({ op: 'put', resource, where: '' });

/** The Node of a member, as its number of versions says: another address, another tone where it may have one. */
export const nodeOf = ({ name, paths, declared: { roles, version, key } }: Member): Resource =>
  declared.declare('Node', name, {
    roles,
    paths,
    address: `127.0.1.${1 + (version % 250)}`,
    identity: { key, joined: '2026-11-21T09:00:00Z' },
    parameters: roles.includes('pages') && version % 2 === 1 ? { tone: `own${version}` } : {},
  });

export interface ClusterOptions {
  agents: number;
  wear?: (desired: Desired) => LinkDesired;
}

export async function startCluster({ agents, wear }: ClusterOptions): Promise<Cluster> {
  const { folder, remove } = await temporaryFolder();
  const messages = createMessages();
  const manager = createManager({ folder: join(folder, 'manager'), faults: messages });
  await manager.start();
  const members: Member[] = [];
  for (let at = 0; at < agents; at += 1)
    members.push(await enrol(manager, join(folder, `node${at}`), `node${at}`, rolesOf(at), wear));
  const cluster: Cluster = {
    manager,
    messages,
    members,
    sites: new Map(),
    stores: new Map(),
    policies: new Map(declared.policyNames.map((name) => [name, 0])),
    write: async (edits, guard = 'on') => {
      await manager.store().write({ actor: 'fuzz', edits, guard });
    },
    stop: async () => {
      await Promise.all(members.map(({ agent }) => agent.stop()));
      await Promise.all(members.flatMap(({ wires }) => Object.values(wires).map((wire) => wire.close())));
      if (manager.isUp()) await manager.stop();
      await remove();
    },
  };
  await cluster.write([
    put(declared.cluster()),
    ...Object.keys(declared.texts).map((name) => put(declared.template(name))),
    ...declared.policyNames.map((name) => put(declared.policies[name](0))),
    ...members.map((member) => put(nodeOf(member))),
  ]);
  await Promise.all(members.map(({ agent }) => agent.start()));
  return cluster;
}

const mixes = [['pages'], ['pages', 'peers'], ['peers'], ['stores', 'pages'], ['peers', 'stores'], ['idle']];
const rolesOf = (at: number): string[] => mixes[at % mixes.length] ?? [];

/** What joining does, without the invite: a key of its own, a certificate for it, and the Node that names the key. */
async function enrol(
  manager: Manager,
  folder: string,
  name: string,
  roles: string[],
  wear: ClusterOptions['wear'],
): Promise<Member> {
  const key = await newKey();
  const issued = await manager.pki().issueNode(name, await requestFor(name, key));
  const wires = {
    broker: await createWire(() => manager.port('broker')),
    machines: await createWire(() => manager.port('machines')),
  };
  const identity = {
    node: name,
    cluster: manager.store().meta().cluster,
    signingKey: createPublicKey(manager.pki().signingKey),
    current: () => ({ key, cert: issued.certificate, ca: issued.ca }),
  };
  const paths = { state: join(folder, 'state'), run: join(folder, 'run'), log: join(folder, 'log') };
  const agent = createAgent({ identity, paths, wires, ...(wear ? { wear } : {}) });
  return { name, agent, paths, wires, declared: { roles, version: 0, key: issued.key } };
}
