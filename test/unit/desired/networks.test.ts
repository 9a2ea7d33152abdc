/** Networks: one for all or a private one beside the public one, and what cannot work is refused with the reason. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBase, isWithin, overlap } from '../../../common/networks.ts';
import type { Edit } from '../../../common/rules.ts';
import { admit } from '../../../manager/desired/admit.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { basics, cluster, declare, node, policy, puts, realserver, service } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const found = (existing: Resource[], ...edits: Edit[]) =>
  admit(proposed(existing, edits)).map(({ code, path, value }) => `${code} ${path} ${value}`);

const one = { address: '10.0.0.1', networks: { cluster: '10.0.0.0/24' } };
const two = { address: '10.0.0.1', networks: { cluster: '10.0.0.0/24', public: '192.0.2.0/24' } };
const storage = (server: string) =>
  declare('Storage', 'home', { server, export: '/srv/home', mountpoint: '/home' });
/** A cluster of the layout that is right in all. */
const sound = (layout: object, nodes = ['10.0.0.11', '10.0.0.12']): Resource[] => [
  ...basics().filter(({ kind }) => kind !== 'Cluster' && kind !== 'Node'),
  cluster(layout),
  realserver(),
  ...nodes.map((address, at) => node(`web${at + 1}`, { address })),
];

describe('[3.8] the layout of the networks', () => {
  it('of one network and of two are taken, with members where they belong', () => {
    for (const layout of [one, two]) expect(found([], ...puts(...sound(layout)))).toEqual([]);
    expect(found(sound(two), ...puts(storage('10.0.0.40')))).toEqual([]);
  });

  it('refuses a node, a file server and a cluster address outside the cluster network, each in its own document', () => {
    expect(found(sound(two), ...puts(node('web3', { address: '192.0.2.13' })))).toEqual([
      'network-conflict documents/0/spec/address 192.0.2.13',
    ]);
    expect(found(sound(two), ...puts(storage('192.0.2.40')))).toEqual([
      'network-conflict documents/0/spec/server 192.0.2.40',
    ]);
    expect(found(sound(two), ...puts(cluster({ ...two, address: '192.0.2.1' })))).toEqual([
      'network-conflict documents/0/spec/address 192.0.2.1',
    ]);
  });

  it('of a new layout says which members do not fit it, at the Cluster that brings it', () => {
    const moved = cluster({ address: '10.0.1.1', networks: { cluster: '10.0.1.0/24' } });
    expect(found(sound(one), ...puts(moved))).toEqual([
      'network-conflict documents/0/spec/networks 10.0.0.11',
      'network-conflict documents/0/spec/networks 10.0.0.12',
    ]);
  });

  it('refuses a private network that visitors share, and an address written for a network', () => {
    const shared = { address: '10.0.0.1', networks: { cluster: '10.0.0.0/24', public: '10.0.0.0/16' } };
    expect(found([], ...puts(cluster(shared)))).toEqual([
      'network-conflict documents/0/spec/networks/public 10.0.0.0/16',
    ]);
    const odd = { address: '10.0.0.1', networks: { cluster: '10.0.0.1/24' } };
    expect(found([], ...puts(cluster(odd)))).toEqual([
      'network-conflict documents/0/spec/networks/cluster 10.0.0.1/24',
    ]);
  });

  it('refuses a VIP where no visitor gets to, and for LVS one that is the address of a box', () => {
    expect(found(sound(two), ...puts(service('web', { vip: '10.0.0.100' })))).toEqual([
      'network-conflict documents/0/spec/vip 10.0.0.100',
    ]);
    for (const own of ['10.0.0.1', '10.0.0.11'])
      expect(found(sound(one), ...puts(service('web', { vip: own })))).toEqual([
        `network-conflict documents/0/spec/vip ${own}`,
      ]);
    const proxied = sound({ ...one, balancer: 'haproxy' });
    expect(found(proxied, ...puts(service('web', { vip: '10.0.0.1' })))).toEqual([]);
  });

  it('refuses for haproxy a VIP that is the address of a box where a director puts it on a card', () => {
    const own = service('web', { vip: '10.0.0.1' });
    const puts1 = (vipInterface: string) =>
      node('d1', { address: '10.0.0.19', roles: ['balancer'], parameters: { vipInterface } });
    const proxied = [
      ...sound({ ...one, balancer: 'haproxy' }),
      policy('balancer-haproxy', {
        role: 'balancer',
        parameters: { vipInterface: { type: 'string', default: '' } },
      }),
    ];
    const taken = [expect.stringContaining('network-conflict')];
    expect(found([...proxied, puts1('eth0')], ...puts(own))).toEqual(taken);
    expect(found([...proxied, own, puts1('')], ...puts(puts1('eth0')))).toEqual(taken);
    expect(found([...proxied, puts1('')], ...puts(own))).toEqual([]);
  });

  it('refuses for LVS a VIP that is the address of a file server, or the IPv6 address of a node, whoever brings it', () => {
    const six = node('six', { address: '10.0.0.16', address6: 'fd00::16' });
    const taken = (vip: string) => [`network-conflict documents/0/spec/vip ${vip}`];
    const own = service('web', { vip: '10.0.0.40' });
    expect(found([...sound(one), storage('10.0.0.40')], ...puts(own))).toEqual(taken('10.0.0.40'));
    expect(found([...sound(one), own], ...puts(storage('10.0.0.40')))).toEqual([
      'network-conflict documents/0/spec/server 10.0.0.40',
    ]);
    const written = service('web', { vip: 'fd00:0::16' });
    expect(found([...sound(one), six], ...puts(written))).toEqual(taken('fd00:0::16'));
    expect(
      found([...sound(one), six, written], ...puts(node('w9', { ...six.spec, address: '10.0.0.19' }))),
    ).toEqual(['network-conflict documents/0/spec/address6 fd00:0::16']);
    expect(found([...sound(one), own], ...puts(node('web3', { address: '10.0.0.40' })))).toEqual([
      'network-conflict documents/0/spec/address 10.0.0.40',
    ]);
  });

  it('blames nobody for what stood so before', () => {
    const old = sound(one, ['10.9.9.9']);
    expect(found(old, ...puts(service('other', { vip: '10.0.0.101' })))).toEqual([]);
  });
});

describe('[3.8] an address and a network', () => {
  const length = fc.integer({ min: 0, max: 32 });
  const numbers = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const text = (number: number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
  const masked = (number: number, bits: number) => (bits === 0 ? 0 : (number & (-1 << (32 - bits))) >>> 0);

  it('belong together when their first bits are the same', () => {
    fc.assert(
      fc.property(numbers, numbers, length, (a, b, bits) => {
        const network = `${text(masked(a, bits))}/${bits}`;
        expect(isBase(network)).toBe(true);
        expect(isWithin(network, text(a))).toBe(true);
        expect(isWithin(network, text(b))).toBe(masked(a, bits) === masked(b, bits));
        expect(isWithin(network, `::ffff:${text(a)}`)).toBe(true);
      }),
    );
  });

  it('share addresses exactly when one network holds the other', () => {
    expect(overlap('10.0.0.0/24', '10.0.0.0/16')).toBe(true);
    expect(overlap('10.0.0.0/16', '10.0.5.0/24')).toBe(true);
    expect(overlap('10.0.0.0/24', '10.0.1.0/24')).toBe(false);
  });
});
