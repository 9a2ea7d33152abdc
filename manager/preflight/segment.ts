/** The check segment: whether director and members see each other without a router, as far as the forwarding demands it (I46). Pure. */
import { fail, pass, skip, warn } from '../../common/findings.ts';
import { isWithin } from '../../common/networks.ts';
import type { BoxLook, Finding } from '../../protocol/preflight.ts';
import type { Judging } from './subject.ts';

const NAME = 'segment';
const DIRECTOR = 'balancer';

interface Peer {
  who: string;
  address: string;
  forwarding: string;
}

/** Whether the box reaches the address over a card of its own. All of 127.0.0.0/8 is one box. */
const isOnLink = ({ addresses }: BoxLook, address: string): boolean =>
  addresses.some((own) => isWithin(`${own.address}/${own.prefix}`, address));

/** Whom it meets behind LVS: of a member its directors, of a director the members, once for each way of forwarding. */
function peersOf({ name, roles, view }: Judging): Peer[] {
  const others = [...view.Node.values()].filter((node) => node.name !== name);
  const services = [...view.VirtualService.values()];
  const directed = roles.includes(DIRECTOR) ? services : [];
  const served = services.filter(({ spec }) => roles.includes(spec.pool.role));
  const peer = (node: (typeof others)[number], forwarding: string): Peer => ({
    ...{ who: node.name, address: node.spec.address, forwarding },
  });
  return [
    ...directed.flatMap(({ spec }) =>
      others
        .filter((node) => node.spec.roles.includes(spec.pool.role))
        .map((node) => peer(node, spec.forwarding)),
    ),
    ...served.flatMap(({ spec }) =>
      others.filter((node) => node.spec.roles.includes(DIRECTOR)).map((node) => peer(node, spec.forwarding)),
    ),
  ];
}

export function segment(asked: Judging): Finding {
  const { facts, view } = asked;
  const cluster = view.Cluster.get('cluster')?.spec;
  const network = cluster?.networks?.cluster;
  if (network !== undefined && !isWithin(network, facts.address))
    return fail(NAME, `${facts.address} is not in the cluster network ${network}`, {
      why: 'nodes are heard from that network alone',
      fix: 'give the address that the box has in it with --address',
    });
  const { box } = facts;
  if (!box || !cluster) return skip(NAME, 'its agent does not say');
  const behindLvs = cluster.balancer === 'lvs' || cluster.balancer === 'ipvsadm';
  const far = peersOf(asked).filter(({ address }) => !isOnLink(box, address));
  if (behindLvs && far.some(({ forwarding }) => forwarding !== 'TUN')) return beyond(far);
  const isNear = isOnLink(box, cluster.address);
  if (isNear) return pass(NAME, `it sees the manager at ${cluster.address} without a router`);
  if (!behindLvs)
    return pass(
      NAME,
      `a router is between it and ${cluster.address}, which ${cluster.balancer} does not mind`,
    );
  return warn(NAME, `a router is between it and the manager at ${cluster.address}`, {
    why: 'LVS by DR and NAT reaches members in its own network segment alone',
    fix: 'put the box into that segment, or declare `forwarding: TUN` for its virtual services',
  });
}

function beyond(far: Peer[]): Finding {
  const apart = far.filter(({ forwarding }) => forwarding !== 'TUN');
  const named = [...new Set(apart.map(({ who, address }) => `${who} (${address})`))].slice(0, 3).join(', ');
  const ways = [...new Set(apart.map(({ forwarding }) => forwarding))].join(' and ');
  return fail(NAME, `a router is between it and ${named}`, {
    why: `LVS by ${ways} hands packets on within one network segment alone`,
    fix: 'put the box into that segment, or declare `forwarding: TUN` for these virtual services',
  });
}
