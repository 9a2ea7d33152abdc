/** What a smoke test has to try: the nodes that serve sites, and the services through which visitors reach them. Pure. */
import { policiesOf } from '../../common/policies.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';

export interface Declared {
  cluster: ResourceOf<'Cluster'>;
  nodes: ResourceOf<'Node'>[];
  policies: ResourceOf<'Policy'>[];
  services: ResourceOf<'VirtualService'>[];
}

export interface WebNode {
  name: string;
  address: string;
  port: number;
}

/** A port of a virtual service at which sites are served in the clear. */
export interface Door {
  service: string;
  role: string;
  vip: string;
  port: number;
  /** A visitor always meets the same member, so that from here no other one is. */
  sticks: boolean;
}

const HTTP_PORT = 80;

/** Every node that has a unit which takes sites. */
export function webNodes({ cluster, nodes, policies }: Declared): WebNode[] {
  return nodes.flatMap(({ name, spec }) => {
    const serving = policiesOf(policies, spec, cluster).filter(takesSites);
    const [first] = serving;
    if (first === undefined) return [];
    const port = spec.parameters.httpPort ?? first.spec.parameters.httpPort?.default ?? HTTP_PORT;
    return [{ name, address: spec.address, port: Number(port) }];
  });
}

const takesSites = ({ spec }: ResourceOf<'Policy'>): boolean =>
  spec.service !== undefined && Object.values(spec.inputs).some(({ kind }) => kind === 'Site');

const sticky = new Set(['sh', 'mh', 'dh', 'lblc', 'lblcr']);

export const doors = ({ services }: Declared, roles: ReadonlySet<string>): Door[] =>
  services
    .filter(({ spec }) => spec.protocol === 'http' && roles.has(spec.pool.role))
    .flatMap(({ name, spec }) =>
      spec.ports.map(({ port }) => ({
        ...{ service: name, role: spec.pool.role, vip: spec.vip, port },
        sticks: spec.persistence !== undefined || sticky.has(spec.scheduler),
      })),
    );

export const sitesRoles = ({ policies }: Declared): Set<string> =>
  new Set(policies.filter(takesSites).map(({ spec }) => spec.role));

/** Why a node need not, or cannot, be asked. */
export function unasked(view: NodeView | undefined): { skip: boolean; why: string } | undefined {
  if (view === undefined || view.state === 'pending') return { skip: false, why: 'has not joined' };
  if (!view.online) return { skip: view.maintenance !== undefined, why: 'is not connected' };
  if (view.hold !== undefined) return { skip: true, why: `is on hold (${view.hold}): it takes no new site` };
  if (view.mode === 'audit') return { skip: true, why: 'is only audited: it takes no new site' };
  return undefined;
}

/** Why a node takes no traffic of a service by the word of an operator. */
export function operatorOf(view: NodeView): string | undefined {
  if (view.maintenance !== undefined) return `in maintenance: ${view.maintenance}`;
  if (view.drain !== undefined) return `drains: ${view.drain}`;
  return undefined;
}

/** What the directors themselves say of a member: undefined where it has traffic at each of them. */
export function outOfPool(pool: PoolView | undefined, node: string): string | undefined {
  const member = pool?.members.find((one) => one.node === node);
  if (member === undefined) return 'is no member of the pool';
  if (member.wanted.weight === 0) return 'has the weight 0';
  const [out] = member.actual.filter(({ state }) => state !== 'up');
  if (out === undefined) return undefined;
  const why = [out.detail, ...member.wanted.reasons].find((text) => text !== '');
  return `is ${out.state} at ${out.director}${why === undefined ? '' : ` (${why})`}`;
}
