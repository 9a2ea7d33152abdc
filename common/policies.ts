/** Policies: which of them hold on a node, and which a pool depends on. Pure, so that manager and agents agree. */
import type { ClusterSpec } from '../protocol/resources/cluster.ts';
import type { PolicySpec } from '../protocol/resources/policy.ts';

interface Declared<Spec> {
  spec: Spec;
}
type Role = Pick<PolicySpec, 'role' | 'when'>;
type Choice = Declared<Pick<ClusterSpec, 'balancer'>> | undefined;

/** Whether a policy holds in this cluster at all. Before the Cluster is known, only those do that hold in every one. */
export const holdsIn = (cluster: Choice, { spec: { when } }: Declared<Role>): boolean =>
  when === undefined || (cluster !== undefined && when.balancer.includes(cluster.spec.balancer));

/** The policies of a node: those of its roles that hold in its cluster. */
export const policiesOf = <Policy extends Declared<Role>>(
  policies: Iterable<Policy>,
  roles: readonly string[],
  cluster: Choice,
): Policy[] => [...policies].filter((policy) => roles.includes(policy.spec.role) && holdsIn(cluster, policy));

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

/** The policies of a pool's role on which it depends in any way. */
export const policiesBehind = <Policy extends Declared<Role & Checked>>(
  { role, check }: { role: string; check: string },
  policies: Iterable<Policy>,
  cluster: Choice,
): Policy[] =>
  policiesOf(policies, [role], cluster).filter(
    ({ spec }) => isUnitBehind(spec, check) || checksBehind(spec, check).length > 0,
  );
