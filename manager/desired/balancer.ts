/**
 * Balancer: what the balancer of the cluster cannot do is refused where it is asked for. Pure.
 *
 * | asked for | lvs, ipvsadm | haproxy |
 * |---|---|---|
 * | `protocol: udp` | yes | no |
 * | another port at the node | NAT alone, and not with `groupPorts` | yes |
 * | `groupPorts` | of tcp or http, without a fallback of its own | no |
 * | `persistence.prefix` | at most the length of an address | no |
 * | an IPv6 VIP | members need `address6`, a fallback of its own has none | yes |
 */
import { markOf } from '../../common/render/marks.ts';
import type { Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { keyOf } from '../../protocol/resource.ts';
import { problemAt, type Touched } from './place.ts';

type Service = Stored<'VirtualService'>;

interface Misfit {
  field: string;
  value: string;
  message: string;
  fix: string;
}

/** Judged are the services of the request; all of them when it changes the Cluster, which may name another balancer. */
export function balancerProblems({ after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Cluster', 'VirtualService')) return [];
  const cluster = touched.of('Cluster', 'cluster');
  const balancer = after.Cluster.get('cluster')?.spec.balancer;
  const judge = judges[balancer ?? 'external'];
  return [...after.VirtualService.values()].flatMap((service) => {
    const own = touched.of('VirtualService', service.name);
    if (!own && !cluster) return [];
    return judge(service, after).map(({ field, value, message, fix }) =>
      problemAt(own ?? cluster, own ? field : 'spec/balancer', {
        code: 'balancer-conflict',
        value: own ? value : balancer,
        message: `${own ? '' : `${keyOf(service)}: `}${message}`,
        fix: own ? fix : `${fix}, in the same request`,
      }),
    );
  });
}

const judges: Record<
  NonNullable<Stored<'Cluster'>['spec']['balancer']>,
  (service: Service, after: View) => Misfit[]
> = {
  lvs: ofLvs,
  ipvsadm: ofLvs,
  haproxy: ofHaproxy,
  external: () => [],
};

function ofLvs(service: Service, after: View): Misfit[] {
  return [...ofPorts(service), ...ofGroup(service, after), ...ofFamily(service, after)];
}

function ofPorts({ spec: { ports, forwarding, groupPorts } }: Service): Misfit[] {
  if (forwarding === 'NAT' && !groupPorts) return [];
  const why = groupPorts ? 'ports that are one service' : `forwarding by ${forwarding}`;
  return ports.flatMap(({ port, target }, at): Misfit[] => {
    if (port === target) return [];
    return [
      {
        field: `spec/ports/${at}`,
        value: `${port} to ${target}`,
        message: `${why} cannot lead port ${port} to port ${target}: the packet reaches the node as it came`,
        fix: groupPorts ? 'give both the same port' : 'give both the same port, or set forwarding: NAT',
      },
    ];
  });
}

function ofGroup({ name, spec }: Service, after: View): Misfit[] {
  if (!spec.groupPorts) return [];
  const found: Misfit[] = [];
  if (spec.protocol === 'udp')
    found.push({
      ...{ field: 'spec/groupPorts', value: 'true' },
      message: 'ports that are one service must be of tcp',
      fix: 'set protocol: tcp, or declare a virtual service for each port',
    });
  if (typeof spec.fallback === 'object')
    found.push({
      ...{ field: 'spec/fallback', value: `${spec.fallback.address}:${spec.fallback.port}` },
      message: 'ports that are one service have no fallback: it would get packets for all of the ports',
      fix: 'set fallback: none',
    });
  const others = [...after.VirtualService.values()].filter((one) => one.spec.groupPorts && one.name !== name);
  const twin = others.find((one) => markOf(one.name) === markOf(name));
  if (twin)
    found.push({
      ...{ field: 'name', value: name },
      message: `the kernel would know it by the same mark as ${keyOf(twin)}: it comes from the name`,
      fix: 'give one of the two another name',
    });
  return found;
}

function ofFamily({ spec }: Service, after: View): Misfit[] {
  const { vip, forwarding, persistence, fallback, pool } = spec;
  const v6 = vip.includes(':');
  const found: Misfit[] = [];
  if (!v6 && (persistence?.prefix ?? 0) > 32)
    found.push({
      ...{ field: 'spec/persistence/prefix', value: String(persistence?.prefix) },
      message: 'an IPv4 address has 32 bits',
      fix: 'write 32 or less',
    });
  if (!v6) return found;
  if (forwarding === 'NAT')
    found.push({
      ...{ field: 'spec/forwarding', value: 'NAT' },
      message: `for the IPv6 address ${vip} nodes have no way back through the director`,
      fix: 'set forwarding: DR, or TUN',
    });
  if (typeof fallback === 'object')
    found.push({
      ...{ field: 'spec/fallback/address', value: fallback.address },
      message: `an IPv4 address cannot answer for the IPv6 address ${vip}`,
      fix: 'set fallback: manager, or none',
    });
  const members = [...after.Node.values()].filter((node) => node.spec.roles.includes(pool.role));
  if (members.length > 0 && members.every((node) => node.spec.address6 === undefined))
    found.push({
      ...{ field: 'spec/vip', value: vip },
      message: `no node of role ${pool.role} has an address6, so nobody could answer at ${vip}`,
      fix: `set address6 of ${members
        .slice(0, 3)
        .map(({ name }) => name)
        .join(', ')}`,
    });
  return found;
}

function ofHaproxy({ spec }: Service): Misfit[] {
  const cannot = (field: string, value: string, what: string): Misfit => ({
    field,
    value,
    message: `the balancer haproxy ${what}`,
    fix: 'leave it out, or let the Cluster have the balancer lvs or ipvsadm',
  });
  return [
    ...(spec.protocol === 'udp' ? [cannot('spec/protocol', 'udp', 'does not carry UDP')] : []),
    ...(spec.groupPorts
      ? [cannot('spec/groupPorts', 'true', 'cannot make one service of several ports')]
      : []),
    ...(spec.persistence?.prefix === undefined
      ? []
      : [
          cannot(
            'spec/persistence/prefix',
            String(spec.persistence.prefix),
            'tells visitors apart by whole addresses',
          ),
        ]),
  ];
}
