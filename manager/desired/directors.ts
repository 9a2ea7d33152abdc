/** Directors and members: who would fight for an address, or could not answer at it, is refused at the door. Pure. */
import { policiesOf } from '../../common/policies.ts';
import { type Edit, keyOfEdit, type Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { keyOf } from '../../protocol/resource.ts';
import { BALANCER_ROLE } from '../../protocol/topics.ts';
import { problemAt, type Touched } from './place.ts';

/** The device on which a policy puts the addresses of virtual services, by itself: VRRP is asked nothing. */
const OWN_DEVICE = 'vipInterface';

/** Two directors with the addresses on them would answer for one another by chance. */
export function directorProblems({ before, after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Node', 'Cluster', 'Policy')) return [];
  const [had, have] = [holdersOf(before), holdersOf(after)];
  if (have.length < 2 || have.every((name) => had.includes(name))) return [];
  const balancer = after.Cluster.get('cluster')?.spec.balancer;
  const message = `${have.slice(0, 5).join(' and ')} would both have the addresses of virtual services: with the balancer ${balancer} nothing decides between them`;
  const fix = `let the Cluster have balancer: lvs, whose directors take turns, or leave ${balancer === 'haproxy' ? `${OWN_DEVICE} of all but one empty` : `the role ${BALANCER_ROLE} to one node`}`;
  const problem = { code: 'balancer-conflict' as const, message, fix };
  const cluster = touched.of('Cluster', 'cluster');
  // Of several that come at once, the first one may stay.
  const added = have.filter((name) => !had.includes(name)).slice(had.length === 0 ? 1 : 0);
  const nodes = added.flatMap((name) => touched.of('Node', name) ?? []);
  if (nodes.length > 0)
    return nodes.map((edit) => problemAt(edit, 'spec/roles', { ...problem, value: BALANCER_ROLE }));
  const [edit, field] = cluster ? [cluster, 'spec/balancer'] : [touched.edits[0], 'spec/parameters'];
  return [problemAt(edit, field, { ...problem, value: balancer ?? '' })];
}

/** Directors that put the addresses on themselves, by the parameter or its default. */
function holdersOf({ Node, Policy, Cluster }: View): string[] {
  const policies = policiesOf(Policy.values(), { roles: [BALANCER_ROLE] }, Cluster.get('cluster'));
  const own = policies.flatMap(({ spec }) =>
    Object.hasOwn(spec.parameters, OWN_DEVICE) ? [spec.parameters[OWN_DEVICE]?.default] : [],
  );
  if (own.length === 0) return [];
  return [...Node.values()]
    .filter(({ spec }) => spec.roles.includes(BALANCER_ROLE))
    .filter(({ spec }) => (spec.parameters[OWN_DEVICE] ?? own[0]) !== '')
    .map(({ name }) => name);
}

/** Behind LVS a visitor's packet reaches a member as it was sent: without the address, or a way back, it is dropped. */
export function memberProblems({ before, after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('VirtualService', 'Cluster', 'Policy')) return [];
  if (!isLvs(after)) return [];
  return [...after.VirtualService.values()].flatMap((service): Problem[] => {
    const { role } = service.spec.pool;
    if (answers(after, role)) return [];
    const own = touched.of('VirtualService', service.name);
    // What stood so before is the fault of nobody who edits something else.
    if (!own && isLvs(before) && !answers(before, role)) return [];
    const [edit, field, value] = own ? [own, 'spec/pool/role', role] : culpritOf(role, before, touched);
    return [
      problemAt(edit, field, {
        ...{ code: 'balancer-conflict', value },
        message: `${own ? '' : `${keyOf(service)}: `}no policy makes nodes of role ${role} answer at ${service.spec.vip} behind LVS: they would drop what visitors send`,
        fix: `copy the policy realserver under another name, with role: ${role}, and apply it in the same request`,
      }),
    ];
  });
}

/** Who has chosen LVS, or has taken away the policy. */
function culpritOf(role: string, before: View, touched: Touched): [Edit | undefined, string, string] {
  if (!isLvs(before)) return [touched.of('Cluster', 'cluster'), 'spec/balancer', 'lvs'];
  const edit = touched.edits.find((one) => {
    const { kind, name } = keyOfEdit(one);
    return kind === 'Policy' && before.Policy.get(name)?.spec.role === role;
  });
  return [edit, '', role];
}

const isLvs = ({ Cluster }: View): boolean =>
  ['lvs', 'ipvsadm'].includes(Cluster.get('cluster')?.spec.balancer ?? '');

/** A policy that gates the pools of a role, and asks the kernel for what virtual services need. */
const answers = ({ Policy, Cluster }: View, role: string): boolean =>
  policiesOf<Stored<'Policy'>>(Policy.values(), { roles: [role] }, Cluster.get('cluster')).some(
    ({ spec }) =>
      spec.gate &&
      spec.kernel !== undefined &&
      Object.values(spec.inputs).some(({ kind }) => kind === 'VirtualService'),
  );
