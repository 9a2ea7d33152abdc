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

/** The policies that a pool depends on: those of its role that have its check, and those that gate every pool. */
export const policiesBehind = <
  Policy extends Declared<Pick<PolicySpec, 'role' | 'when' | 'checks' | 'gate'>>,
>(
  { role, check }: { role: string; check: string },
  policies: Iterable<Policy>,
  cluster: Choice,
): Policy[] =>
  policiesOf(policies, [role], cluster).filter(
    ({ spec }) => spec.gate || spec.checks.some(({ name }) => name === check),
  );
