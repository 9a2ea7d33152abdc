/** The structure of LVS: which virtual services the kernel is to have, and who may answer for each. Pure. */
import { markOf } from '../../../common/render/marks.ts';
import type { Declared } from '../../../common/view.ts';
import type { NodeSpec } from '../../../protocol/resources/node.ts';
import type { VirtualServiceSpec } from '../../../protocol/resources/virtual-service.ts';
import { isV6, type Method, placeAt } from './table.ts';

/** What a director goes by; it holds with no manager in reach. */
export interface Declaration {
  services: readonly Declared<VirtualServiceSpec>[];
  nodes: readonly Declared<NodeSpec>[];
  /** This director, and the port of its fallback page. */
  director: { address: string; address6?: string | undefined; fallbackPort: number };
}

/** One virtual service of the kernel: one port of a declared one, or all of them by a mark. */
export interface Entry {
  service: string;
  /** Those of the declared service that it is: several where a mark stands for all ports. */
  backends: string[];
  /** As in the kernel's table. */
  key: string;
  v6: boolean;
  scheduler: VirtualServiceSpec['scheduler'];
  method: Method;
  persistence: { seconds: number; bits: number } | null;
  /** `weight` is the declared one. */
  members: { node: string; place: string; weight: number }[];
  /** Nodes of the role that have no address of the family. */
  lacking: string[];
  /** Who answers when nobody is left. */
  fallback: { place: string; method: Method } | null;
}

export const structureOf = (declared: Declaration): Entry[] =>
  declared.services.flatMap((service) => entriesOf(service, declared));

function entriesOf(service: Declared<VirtualServiceSpec>, declared: Declaration): Entry[] {
  const { name, spec } = service;
  const { vip, ports, protocol, scheduler, forwarding: method, persistence, groupPorts } = spec;
  const v6 = isV6(vip);
  const common = {
    service: name,
    v6,
    scheduler,
    method,
    persistence: persistence
      ? { seconds: persistence.seconds, bits: persistence.prefix ?? (v6 ? 128 : 32) }
      : null,
    lacking: v6
      ? declared.nodes
          .filter((node) => isOf(spec, node) && node.spec.address6 === undefined)
          .map(({ name }) => name)
      : [],
  };
  const members = (port: number) => membersAt(service, declared.nodes, port);
  if (groupPorts) {
    const backends = ports.map(({ port }) => `${name}-${port}`);
    return [{ ...common, backends, key: `mark ${markOf(name)}`, members: members(0), fallback: null }];
  }
  return ports.map(({ port, target }) => ({
    ...common,
    backends: [`${name}-${port}`],
    key: `${protocol === 'udp' ? 'udp' : 'tcp'} ${placeAt(vip, port)}`,
    members: members(target),
    fallback: fallbackOf(spec, port, declared.director),
  }));
}

const isOf = ({ pool }: VirtualServiceSpec, { spec }: Declared<NodeSpec>) => spec.roles.includes(pool.role);

/** A member without an IPv6 address is in no pool of an IPv6 service. */
function membersAt({ spec }: Declared<VirtualServiceSpec>, nodes: Declaration['nodes'], port: number) {
  return nodes.flatMap((member) => {
    const { address, address6, weight } = member.spec;
    const at = isV6(spec.vip) ? address6 : address;
    if (!isOf(spec, member) || at === undefined) return [];
    return [{ node: member.name, place: placeAt(at, port), weight: spec.weights[member.name] ?? weight }];
  });
}

/**
 * The page of the manager is served by the director itself: only NAT can map the port, and a local destination of NAT
 * works in IPv4 and IPv6 (measured). Another's fallback gets the packets as members do when its port is the same.
 */
function fallbackOf(
  { vip, protocol, forwarding, fallback }: VirtualServiceSpec,
  port: number,
  director: Declaration['director'],
): Entry['fallback'] {
  if (fallback === 'none') return null;
  if (fallback === 'manager') {
    const address = isV6(vip) ? director.address6 : director.address;
    if (protocol !== 'http' || address === undefined) return null;
    return { place: placeAt(address, director.fallbackPort), method: 'NAT' };
  }
  if (isV6(vip)) return null;
  const method = fallback.port === port ? forwarding : 'NAT';
  return { place: placeAt(fallback.address, fallback.port), method };
}
