/** The judgement: whether every node is, to the byte, what the store says that it should be. */
import type { Stand } from '../../../common/delta.ts';
import type { RenderedUnit } from '../../../common/render/rendered.ts';
import { rules } from '../../../manager/desired/rules.ts';
import type { Store } from '../../../manager/store/store.ts';
import type { ScopeName } from '../../../protocol/messages.ts';
import { keyOf, kindNames, type Resource } from '../../../protocol/resource.ts';
import { scopesOf } from '../../../protocol/topics.ts';
import type { Agent } from './agent.ts';
import type { Cluster, Member } from './cluster.ts';
import { treeDifferences, unitsOf } from './trees.ts';

/** Everything that is declared, with the scopes that each resource is in, and what becomes of it on each node. */
export interface Truth {
  heads: Map<ScopeName, Stand>;
  /** By node. */
  scopes: Map<string, ScopeName[]>;
  units: Map<string, RenderedUnit[]>;
  resources: { resource: Resource & { digest: string }; scopes: ScopeName[] }[];
}

/** Read from the database, not from what the manager holds in memory. */
export async function readTruth(store: Store, { members }: Pick<Cluster, 'members'>): Promise<Truth> {
  const interests = rules.interestsOf(store.view());
  const resources: Truth['resources'] = [];
  for (const kind of kindNames)
    for await (const resource of store.each(kind))
      resources.push({ resource, scopes: rules.scopesOf(resource, interests) });
  const heads = store.heads().map(({ scope, epoch, rev, count, digest }) => ({
    scope,
    stand: { epoch, rev, count, digest },
  }));
  const all = resources.map(({ resource }) => resource);
  return {
    heads: new Map(heads.map(({ scope, stand }) => [scope, stand])),
    scopes: new Map(members.map(({ name }) => [name, scopesOf({ node: name, roles: rolesOf(store, name) })])),
    units: new Map(members.map(({ name }) => [name, unitsOf(name, all)])),
    resources,
  };
}

const rolesOf = (store: Store, node: string) => store.view().Node.get(node)?.spec.roles ?? [];

/** What is wrong, by node; nothing when all is as declared. Trees are looked at when the rest is right. */
export async function differences({ members }: Pick<Cluster, 'members'>, truth: Truth): Promise<string[]> {
  const found = await Promise.all(members.map((member) => ofMember(member, truth)));
  return found.flatMap((differences, at) => differences.map((what) => `${members[at]?.name}: ${what}`));
}

async function ofMember({ name, agent, paths }: Member, truth: Truth): Promise<string[]> {
  if (!agent.isUp()) return ['it is dead'];
  const scopes = truth.scopes.get(name) ?? [];
  const found = [...standsOf(agent, scopes, truth), ...resourcesOf(agent, scopes, truth)];
  return found.length > 0 ? found : treeDifferences(paths.state, truth.units.get(name) ?? []);
}

const shown = (stand: Stand | null | undefined) =>
  stand ? `${stand.epoch}.${stand.rev} ${stand.count} ${stand.digest.slice(0, 8)}` : 'nothing';

function standsOf(agent: Agent, scopes: ScopeName[], { heads }: Truth): string[] {
  const extra = agent
    .desired()
    .scopes()
    .filter((scope) => !scopes.includes(scope));
  const behind = scopes
    .map((scope) => ({ scope, has: shown(agent.believes().stand(scope)), head: shown(heads.get(scope)) }))
    .filter(({ has, head }) => has !== head);
  return [
    ...extra.map((scope) => `keeps ${scope}, which it does not follow`),
    ...behind.map(({ scope, has, head }) => `${scope} is at ${has}, its head at ${head}`),
  ];
}

function resourcesOf(agent: Agent, scopes: ScopeName[], { resources }: Truth): string[] {
  const wanted = new Map(
    resources
      .filter((one) => one.scopes.some((scope) => scopes.includes(scope)))
      .map(({ resource }) => [keyOf(resource), resource.digest]),
  );
  const kept = new Map(
    kindNames.flatMap((kind) => agent.desired().list(kind)).map((item) => [keyOf(item), item.digest]),
  );
  return [...new Set([...wanted.keys(), ...kept.keys()])]
    .filter((key) => wanted.get(key) !== kept.get(key))
    .map((key) => `${key} is ${kept.get(key)?.slice(0, 8)}, declared ${wanted.get(key)?.slice(0, 8)}`);
}
