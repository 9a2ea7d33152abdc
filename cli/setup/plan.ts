/** What a setup would change, judged by the manager's own dry run: its rules are written nowhere else. */
import { keyOf } from '../../protocol/resource.ts';
import type { ApplyAnswer, StoredResource } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { everyOne } from '../list.ts';
import type { Known, Planned } from './documents.ts';

export interface Plan {
  planned: Planned[];
  answer: ApplyAnswer;
}

export interface World extends Known {
  /** Tells this cluster from any other. */
  id: string;
  /** The roles for which there are policies. */
  roles: string[];
  /** Nodes that have joined. */
  joined: Set<string>;
  /** Where the journal stood before all of it was looked at. */
  revision: number;
  /** Of each resource, by `Kind/name`. */
  revisions: Map<string, number>;
}

export async function lookAround(client: Client): Promise<World> {
  const { cluster: id, revision } = await client.call('state');
  const [clusters, nodes, services, storages, policies] = await Promise.all([
    everyOne(client, 'Cluster'),
    everyOne(client, 'Node'),
    everyOne(client, 'VirtualService'),
    everyOne(client, 'Storage'),
    everyOne(client, 'Policy'),
  ]);
  const [cluster] = clusters;
  if (cluster === undefined) throw new Error('the manager has no Cluster: its first setup was not finished');
  const joined = new Set(nodes.filter(({ spec }) => spec.identity !== undefined).map(({ name }) => name));
  const roles = [...new Set(policies.map(({ spec }) => spec.role))].sort();
  const all = [...clusters, ...nodes, ...services, ...storages] as unknown as StoredResource[];
  const revisions = new Map(all.map((one) => [keyOf(one), one.revision]));
  return { id, cluster, nodes, services, storages, roles, joined, revision, revisions };
}

/** @throws EvenkeelError as the manager refuses it, with the paths of documents: see placeOf */
export async function planOf(
  client: Client,
  planned: Planned[],
  { dryRun = true, ...how }: { force: boolean; dryRun?: boolean; revisions?: Record<string, number> },
): Promise<Plan> {
  const documents = planned.map(({ document }) => document);
  return { planned, answer: await client.call('apply', { body: { documents, dryRun, ...how } }) };
}

/** `documents/3/spec/vip` as the answer that it comes from. */
export const placeOf =
  (planned: Planned[]) =>
  (path: string): string => {
    const [, number, rest = ''] = /^documents\/(\d+)\/?(.*)$/.exec(path) ?? [];
    const found = number === undefined ? undefined : planned[Number(number)];
    if (found === undefined) return path;
    return rest === '' ? keyOf(found.document) : found.answer(rest);
  };

export const isNothing = ({ answer: { created, updated, deleted } }: Plan): boolean =>
  created + updated + deleted === 0;
