/** Policies: which of them hold on a node, and which a pool depends on. Pure, so that manager and agents agree. */
import type { ClusterSpec } from '../protocol/resources/cluster.ts';
import type { PolicySpec } from '../protocol/resources/policy.ts';

interface Declared<Spec> {
  spec: Spec;
}
type Role = Pick<PolicySpec, 'role' | 'when' | 'parameters'>;
type Choice = Declared<Pick<ClusterSpec, 'balancer'>> | undefined;

/** A node, or roles alone: then a policy counts when it may hold on some node of them. */
export interface Box {
  roles: readonly string[];
  parameters?: Readonly<Record<string, unknown>>;
}

/** Whether a policy holds in this cluster at all. Before the Cluster is known, only those do that hold in every one. */
export const holdsIn = (cluster: Choice, { spec: { when } }: Declared<Role>): boolean =>
  when?.balancer === undefined || (cluster !== undefined && when.balancer.includes(cluster.spec.balancer));

/** Whether a policy holds on a node: by its role, its cluster, and what the node has chosen by a parameter. */
export const holdsOn = (box: Box, cluster: Choice, policy: Declared<Role>): boolean =>
  box.roles.includes(policy.spec.role) && holdsIn(cluster, policy) && isChosen(box, policy);

function isChosen({ parameters }: Box, { spec }: Declared<Role>): boolean {
  if (parameters === undefined) return true;
  return Object.entries(spec.when?.parameters ?? {}).every(
    ([name, value]) => (parameters[name] ?? spec.parameters[name]?.default) === value,
  );
}

/** The policies of a node: those of its roles that hold in its cluster and on itself. */
export const policiesOf = <Policy extends Declared<Role>>(
  policies: Iterable<Policy>,
  box: Box,
  cluster: Choice,
): Policy[] => [...policies].filter((policy) => holdsOn(box, cluster, policy));

/** Its nodes keep the exports of storages: their policies take Storage too, and mount none. */
export const SERVER_ROLE = 'storage';

export const mountsStorages = ({ spec }: Declared<Pick<PolicySpec, 'role' | 'inputs'>>): boolean =>
  spec.role !== SERVER_ROLE && Object.values(spec.inputs).some(({ kind }) => kind === 'Storage');

type Checked = Pick<PolicySpec, 'checks' | 'gate'>;

/** The checks of a policy on which a pool depends: the one that it names, and those that stand before every pool of the role. */
export const checksBehind = ({ checks, gate }: Checked, check: string): string[] =>
  checks.filter((one) => gate || one.gate === true || one.name === check).map(({ name }) => name);

/** Whether a pool depends on how the unit of a policy fares. */
export const isUnitBehind = ({ checks, gate }: Checked, check: string): boolean =>
  gate || checks.some(({ name }) => name === check);

/** The policies of a node on which its place in a pool depends in any way. */
export const policiesBehind = <Policy extends Declared<Role & Checked>>(
  { role, check }: { role: string; check: string },
  policies: Iterable<Policy>,
  { parameters }: Pick<Box, 'parameters'>,
  cluster: Choice,
): Policy[] =>
  policiesOf(policies, { roles: [role], ...(parameters ? { parameters } : {}) }, cluster).filter(
    ({ spec }) => isUnitBehind(spec, check) || checksBehind(spec, check).length > 0,
  );
