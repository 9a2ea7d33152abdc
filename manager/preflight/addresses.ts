/** The check addresses: whether the address of a box is its own in the cluster, and whether there are enough of them (I47). Pure. */
import { fail, pass, warn } from '../../common/findings.ts';
import { isWithin } from '../../common/networks.ts';
import type { Finding } from '../../protocol/preflight.ts';
import type { Judging } from './subject.ts';

const NAME = 'addresses';
const LOOPBACK = '127.0.0.0/8';

/** Whose the address is already; undefined when it is free. */
function ownerOf({ name, roles, view, facts: { address } }: Judging): string | undefined {
  const balancer = view.Cluster.get('cluster')?.spec.balancer;
  // HAProxy may answer at the address that its box has anyway.
  const mayHaveVip = balancer === 'haproxy' && roles.includes('balancer');
  for (const node of view.Node.values())
    if (node.name !== name && [node.spec.address, node.spec.address6].includes(address))
      return `the node ${node.name}`;
  for (const { name: service, spec } of view.VirtualService.values())
    if (spec.vip === address && !mayHaveVip) return `the virtual service ${service}`;
  for (const { name: storage, spec } of view.Storage.values())
    if (spec.server === address) return `the file server of the storage ${storage}`;
  return undefined;
}

export function addresses(asked: Judging): Finding {
  const { address } = asked.facts;
  const owner = ownerOf(asked);
  if (owner !== undefined)
    return fail(NAME, `${address} is that of ${owner}`, {
      why: 'two boxes at one address answer for each other, or the box answers where the balancer should',
      fix: owner.startsWith('the virtual')
        ? 'give the box an address of its own beside it: a VIP is nobody’s only address'
        : 'give the box another address, or remove the other node first if this box replaces it',
    });
  const cluster = asked.view.Cluster.get('cluster')?.spec;
  if (isWithin(LOOPBACK, address) && cluster && !isWithin(LOOPBACK, cluster.address))
    return fail(NAME, `${address} is reached by the box itself alone`, {
      why: 'balancers and other nodes would not reach it',
      fix: 'give the address of one of its cards with --address',
    });
  return enough(asked) ?? pass(NAME, `${address} is nobody else’s`);
}

/** A director hands on what comes to addresses that are no box's own: a cluster of two boxes has three. */
function enough({ roles, view, facts: { address } }: Judging): Finding | undefined {
  const cluster = view.Cluster.get('cluster')?.spec;
  if (!cluster || !roles.includes('balancer') || view.VirtualService.size > 0) return undefined;
  const own = [...new Set([cluster.address, address])];
  return warn(NAME, `${own.join(' and ')}, and no virtual service has an address yet`, {
    why: 'visitors come to an address that is no box’s own: a cluster of two boxes needs three addresses',
    fix: 'have one more address for each virtual service, in the network that visitors reach, and declare it as its vip',
  });
}
