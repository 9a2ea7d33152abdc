/**
 * Networks: one for all, or a private one beside the public one. What cannot work is refused, with the reason. Pure.
 *
 * | layout | the Cluster says | who lies where |
 * |---|---|---|
 * | not declared | no `networks` | nothing is judged but that an LVS VIP is nobody's own address |
 * | one network | `networks: {cluster}` | manager, nodes and storage in it; VIPs there or elsewhere |
 * | two networks | `networks: {cluster, public}` | manager, nodes and storage in the private one; VIPs outside of it |
 */
import { isBase, isWithin, overlap } from '../../common/networks.ts';
import type { Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { type Kind, keyOf } from '../../protocol/resource.ts';
import { placeIn, type Touched } from './place.ts';

interface Field {
  of: { kind: Kind; name: string };
  field: string;
}

interface Misfit extends Field {
  /** What else, newly there, brings it. */
  by?: Field;
  value: string;
  message: string;
  fix: string;
}

/** Judged anew as a whole: a cluster has few of these, and a new layout concerns all of them. */
export function networkProblems({ before, after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Cluster', 'Node', 'Storage', 'VirtualService')) return [];
  const cluster = after.Cluster.get('cluster');
  if (!cluster) return [];
  const misfits = [...ofLayout(cluster), ...ofMembers(cluster, after), ...ofVips(cluster, after, before)];
  return misfits.flatMap((misfit) => blame(misfit, touched));
}

/** Who is edited is blamed, else the Cluster; what stood so before is nobody's fault in this request. */
function blame({ of, field, by, value, message, fix }: Misfit, touched: Touched): Problem[] {
  const own = touched.of(of.kind, of.name);
  const other = by && touched.of(by.of.kind, by.of.name);
  const edit = own ?? other ?? touched.of('Cluster', 'cluster');
  if (!edit) return [];
  const path = placeIn(edit, own ? field : other && by ? by.field : 'spec/networks');
  return [{ code: 'network-conflict', path, value, message: `${keyOf(of)}: ${message}`, fix }];
}

function ofLayout(of: Stored<'Cluster'>): Misfit[] {
  const { networks, address } = of.spec;
  if (!networks) return [];
  const { cluster, public: open } = networks;
  const found: Misfit[] = [];
  for (const [field, network] of Object.entries({ cluster, ...(open ? { public: open } : {}) }))
    if (!isBase(network))
      found.push({
        ...{ of, field: `spec/networks/${field}`, value: network },
        message: `${network} is an address within a network, and not the network`,
        fix: 'write the first address of the network before the slash, such as 10.0.0.0/24',
      });
  if (open && overlap(cluster, open))
    found.push({
      ...{ of, field: 'spec/networks/public', value: open },
      message: `the public network ${open} and the cluster network ${cluster} share addresses, so that neither is private`,
      fix: 'give two networks apart, or leave out `public` when there is only one',
    });
  return [
    ...found,
    ...outside(
      cluster,
      of,
      'spec/address',
      address,
      'the cluster address, at which nodes reach the manager,',
    ),
  ];
}

function ofMembers({ spec }: Stored<'Cluster'>, { Node, Storage }: View): Misfit[] {
  const network = spec.networks?.cluster;
  if (network === undefined) return [];
  const nodes = [...Node.values()].flatMap((node) =>
    outside(network, node, 'spec/address', node.spec.address, 'the address of the node'),
  );
  const stores = [...Storage.values()].flatMap((storage) => {
    const { server } = storage.spec;
    return typeof server === 'string'
      ? outside(network, storage, 'spec/server', server, 'the file server')
      : [];
  });
  return [...nodes, ...stores];
}

const outside = (
  network: string,
  of: Misfit['of'],
  field: string,
  address: string,
  what: string,
): Misfit[] =>
  isWithin(network, address)
    ? []
    : [
        {
          ...{ of, field, value: address },
          message: `${what} is not in the cluster network ${network}; what nodes, manager and storage say to each other stays in it`,
          fix: `use an address in ${network}, or change spec.networks.cluster of the Cluster`,
        },
      ];

function ofVips({ spec }: Stored<'Cluster'>, after: View, before: View): Misfit[] {
  const { networks, balancer } = spec;
  const isLvs = balancer === 'lvs' || balancer === 'ipvsadm';
  const putter = [...after.Node.values()].find(putsVips);
  const isNew = ![...before.Node.values()].some(putsVips);
  const card = putter && isNew ? { of: putter, field: 'spec/parameters/vipInterface' } : undefined;
  const owners = ownersIn(after);
  const known = ownersIn(before);
  return [...after.VirtualService.values()].flatMap((service): Misfit[] => {
    const { vip } = service.spec;
    const at = { of: service, field: 'spec/vip', value: vip };
    const owner = owners.get(plain(vip));
    if ((isLvs || putter) && owner !== undefined)
      return [
        {
          ...at,
          ...byWhom(known.get(plain(vip))?.what === owner.what ? card : owner),
          message: `${vip} is the address of ${owner.what}; ${isLvs ? 'LVS needs an address that belongs to no box, since every member carries it' : 'a director puts it on its card (`vipInterface`), and two boxes would have it'}`,
          fix: 'use a further address: a cluster of two boxes needs three',
        },
      ];
    if (networks?.public !== undefined && isWithin(networks.cluster, vip))
      return [
        {
          ...at,
          message: `${vip} lies in the private network ${networks.cluster}, where no visitor gets to`,
          fix: `use an address in ${networks.public}, or another that visitors reach`,
        },
      ];
    return [];
  });
}

const byWhom = (by: Field | undefined) => (by ? { by } : {});

/** A director that is told a card puts every VIP on it, whichever driver serves (templates/lb/vips.kernel.hbs). */
const putsVips = ({ spec }: Stored<'Node'>): boolean =>
  spec.roles.includes('balancer') && Boolean(spec.parameters.vipInterface);

/** Every address that is a box's own. */
function ownersIn({ Cluster, Node, Storage }: View): Map<string, Field & { what: string }> {
  const owners = new Map<string, Field & { what: string }>();
  const add = (address: string | undefined, field: string, of: Field['of'], what: string) => {
    if (address !== undefined) owners.set(plain(address), { of, field: `spec/${field}`, what });
  };
  for (const storage of Storage.values()) {
    const places = [
      storage.spec,
      ...(storage.spec.move ? [storage.spec.move.from, storage.spec.move.to] : []),
    ];
    for (const { server } of places)
      if (typeof server === 'string') add(server, 'server', storage, `the file server of ${keyOf(storage)}`);
  }
  for (const node of Node.values()) {
    add(node.spec.address6, 'address6', node, `the node ${node.name}`);
    add(node.spec.address, 'address', node, `the node ${node.name}`);
  }
  for (const cluster of Cluster.values())
    add(cluster.spec.address, 'address', cluster, 'the cluster, at which nodes reach the manager');
  return owners;
}

/** An IPv6 address may be written in several ways. */
const plain = (address: string): string =>
  address.includes(':') ? new URL(`http://[${address}]`).hostname : address;
