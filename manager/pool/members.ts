/** The members of a pool as they are told to balancers of other people: numbered, and told anew only when they differ. Pure. */
import type { Membership } from '../../common/health/membership.ts';
import type { Declared } from '../../common/view.ts';
import type { PoolMembers } from '../../protocol/external.ts';
import type { PoolMember } from '../../protocol/messages.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';

export interface Numbers {
  cluster: string;
  epoch: number;
  /** Taken only where there is something new. */
  next: () => number;
  /** The moment, ISO 8601. */
  at: string;
}

/** What is to be told now: the same object as before where nothing has changed. */
export function membersNow(
  before: PoolMembers | undefined,
  service: Declared<VirtualServiceSpec>,
  { wanted, membership }: { wanted: readonly PoolMember[]; membership: Membership },
  { next, ...numbers }: Numbers,
): PoolMembers {
  const known = new Map(wanted.map((member) => [member.node, member]));
  const { vip, protocol, ports } = service.spec;
  const said = {
    ...{ service: service.name, vip, protocol, ports, withdrawn: false },
    members: membership.members.map(({ node, state, weight, reasons }) => ({
      ...{ node, address: known.get(node)?.address ?? '', state, weight },
      reasons: [...new Set([...reasons, ...(known.get(node)?.reasons ?? [])])],
    })),
  };
  if (before && before.epoch === numbers.epoch && gistOf(before) === gistOf(said)) return before;
  return { ...numbers, ...said, seq: next() };
}

/** The virtual service is gone: nobody is left in it. */
export const withdrawn = (before: PoolMembers, { next, ...numbers }: Numbers): PoolMembers => ({
  ...before,
  ...numbers,
  ...{ withdrawn: true, members: [], seq: next() },
});

type Gist = Pick<PoolMembers, 'vip' | 'protocol' | 'ports' | 'members'>;
const gistOf = ({ vip, protocol, ports, members }: Gist): string =>
  JSON.stringify([vip, protocol, ports, members]);
