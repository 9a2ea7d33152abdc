/** What the balancer of the cluster cannot do is refused where it is asked for, with the way out. */
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../common/rules.ts';
import { admit } from '../../../manager/desired/admit.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { basics, cluster, node, puts, realserver, service } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const found = (existing: Resource[], ...edits: Edit[]) =>
  admit(proposed(existing, edits)).map(({ code, path, value }) => `${code} ${path} ${value}`);
const others = basics().filter(({ kind }) => kind !== 'Cluster' && kind !== 'VirtualService');
const standing = (balancer: string) => [...others, realserver(), cluster({ balancer })];
const asked = (balancer: string, spec: object) => found(standing(balancer), ...puts(service('asked', spec)));

const pool = { role: 'web', check: 'http' };
const mapped = { ports: [{ port: 80, target: 8080 }] };
const conflict = (path: string, value: string) => [`balancer-conflict documents/0/spec/${path} ${value}`];

describe.each(['lvs', 'ipvsadm'])('[3.3] with the balancer %s', (balancer) => {
  it.each([
    ['a port to another one by DR', mapped, conflict('ports/0', '80 to 8080')],
    ['a port to another one by TUN', { ...mapped, forwarding: 'TUN' }, conflict('ports/0', '80 to 8080')],
    [
      'ports in a group to others',
      { ...mapped, forwarding: 'NAT', groupPorts: true },
      conflict('ports/0', '80 to 8080'),
    ],
    ['a group of UDP', { groupPorts: true, protocol: 'udp' }, conflict('groupPorts', 'true')],
    [
      'a group with a fallback of its own',
      { groupPorts: true, fallback: { address: '192.0.2.9', port: 80 } },
      conflict('fallback', '192.0.2.9:80'),
    ],
    [
      'more bits than an address has',
      { persistence: { seconds: 9, prefix: 33 } },
      conflict('persistence/prefix', '33'),
    ],
    [
      'an IPv6 address by NAT',
      { vip: 'fd00::10', forwarding: 'NAT' },
      [...conflict('forwarding', 'NAT'), ...conflict('vip', 'fd00::10')],
    ],
    ['an IPv6 address that nobody could answer at', { vip: 'fd00::10' }, conflict('vip', 'fd00::10')],
  ])('%s is refused', (_, spec, expected) => {
    expect(asked(balancer, { pool, ...spec })).toEqual(expected);
  });

  it.each(['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'])(
    '%s is a scheduler',
    (scheduler) => {
      for (const forwarding of ['DR', 'NAT', 'TUN'])
        expect(asked(balancer, { scheduler, forwarding })).toEqual([]);
    },
  );

  it('NAT leads to other ports, UDP and TCP share an address and port, a group and prefixes are taken', () => {
    expect(asked(balancer, { ...mapped, forwarding: 'NAT' })).toEqual([]);
    expect(asked(balancer, { groupPorts: true, protocol: 'tcp', ports: [80, 443] })).toEqual([]);
    expect(asked(balancer, { persistence: { seconds: 9, prefix: 24 } })).toEqual([]);
    const dns = [
      service('dns', { ports: [53], protocol: 'udp' }),
      service('dns-tcp', { ports: [53], protocol: 'tcp' }),
    ];
    expect(found(standing(balancer), ...puts(...dns))).toEqual([]);
  });

  it('an IPv6 address is taken once a member has one', () => {
    const six = node('six', { address: '127.0.0.16', address6: 'fd00::16' });
    expect(found([...standing(balancer), six], ...puts(service('asked', { vip: 'fd00::10' })))).toEqual([]);
    const own = { vip: 'fd00::10', fallback: { address: '192.0.2.9', port: 80 } };
    expect(found([...standing(balancer), six], ...puts(service('asked', own)))).toEqual(
      conflict('fallback/address', '192.0.2.9'),
    );
  });
});

describe('[3.3] with the balancer haproxy', () => {
  it('UDP, groups and prefixes are refused, other ports and IPv6 are not', () => {
    expect(asked('haproxy', { protocol: 'udp' })).toEqual(conflict('protocol', 'udp'));
    expect(asked('haproxy', { groupPorts: true })).toEqual(conflict('groupPorts', 'true'));
    expect(asked('haproxy', { persistence: { seconds: 9, prefix: 24 } })).toEqual(
      conflict('persistence/prefix', '24'),
    );
    expect([...asked('haproxy', mapped), ...asked('haproxy', { vip: 'fd00::10' })]).toEqual([]);
  });
});

it('[3.3] another balancer is refused while a service stands that it cannot do, unless that changes as well', () => {
  const stood = [...standing('haproxy'), service('web', mapped)];
  const lvs = cluster({ balancer: 'lvs' });
  expect(found(stood, ...puts(lvs))).toEqual(['balancer-conflict documents/0/spec/balancer lvs']);
  expect(found(stood, ...puts(lvs, service('web', { ...mapped, forwarding: 'NAT' })))).toEqual([]);
});
