/** Directors that would fight for an address, and members that could not answer behind LVS, are refused. */
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../common/rules.ts';
import { admit } from '../../../manager/desired/admit.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { shipped } from '../render/declared.ts';
import { cluster, deletion, node, policy, puts, service, template } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const { resources, find } = await shipped();
const director = (name: string, last: number, spec: object = {}) =>
  node(name, { address: `10.0.0.${last}`, roles: ['balancer'], ...spec });
const [a, b] = [director('a', 11), director('b', 12)];
const standing = (balancer: string, ...more: Resource[]): Resource[] => [
  ...resources,
  cluster({ address: '10.0.0.1', balancer }),
  ...[node('w', { address: '10.0.0.13' }), service('web'), ...more],
];
const found = (existing: Resource[], ...edits: Edit[]) =>
  admit(proposed(existing, edits)).map(({ code, path, value }) => `${code} ${path} ${value}`);

describe('[3.2] a second director', () => {
  it('is refused where each would put the addresses on itself', () => {
    const own = ['balancer-conflict documents/0/spec/roles balancer'];
    expect(found(standing('ipvsadm', a), ...puts(b))).toEqual(own);
    expect(found(standing('lvs', a), ...puts(b))).toEqual([]);
    expect(found(standing('haproxy', a), ...puts(b))).toEqual([]);
    expect(found(standing('ipvsadm'), ...puts(a, b))).toEqual([
      'balancer-conflict documents/1/spec/roles balancer',
    ]);
    const card = (name: string, last: number) =>
      director(name, last, { parameters: { vipInterface: 'eth0' } });
    expect(found(standing('haproxy', card('a', 11)), ...puts(b))).toEqual([]);
    expect(found(standing('haproxy', card('a', 11)), ...puts(card('b', 12)))).toEqual(own);
    const [problem] = admit(proposed(standing('ipvsadm', a), puts(b)));
    expect(problem?.message).toContain('a and b would both have the addresses');
    expect(problem?.fix).toContain('balancer: lvs');
  });

  it('and so is a balancer for which there are too many', () => {
    const asked = puts(cluster({ address: '10.0.0.1', balancer: 'ipvsadm' }));
    expect(found(standing('lvs', a, b), ...asked)).toEqual([
      'balancer-conflict documents/0/spec/balancer ipvsadm',
    ]);
    expect(found(standing('lvs', a), ...asked)).toEqual([]);
  });

  it('that stands already is nobody’s fault, and may be drained or take its role back', () => {
    const drain = { reason: 'work', owner: 'ops' };
    expect(found(standing('ipvsadm', a, b), ...puts(director('a', 11, { drain })))).toEqual([]);
    expect(found(standing('ipvsadm', a, b), ...puts(director('b', 12, { roles: [] })))).toEqual([]);
  });
});

describe('[3.4] a member of a pool behind LVS', () => {
  const ftp = [
    template('main.hbs'),
    policy('ftp', { role: 'ftp', checks: [{ name: 'ftp', type: 'tcp', port: '21' }] }),
  ];
  const files = service('files', {
    ...{ vip: '192.0.2.20', ports: [21], protocol: 'tcp' },
    pool: { role: 'ftp', check: 'ftp' },
  });
  const realserver = find('Policy', 'realserver');
  const copied = { ...realserver, name: 'realserver-files', spec: { ...realserver.spec, role: 'ftp' } };

  it('whose role has no policy that lets it answer is refused by name, with the way out', () => {
    for (const balancer of ['lvs', 'ipvsadm'])
      expect(found(standing(balancer, ...ftp), ...puts(files))).toEqual([
        'balancer-conflict documents/0/spec/pool/role ftp',
      ]);
    const [problem] = admit(proposed(standing('lvs', ...ftp), puts(files)));
    expect(problem?.fix).toBe(
      'copy the policy realserver under another name, with role: ftp, and apply it in the same request',
    );
    expect(found(standing('lvs', ...ftp), ...puts(files, copied))).toEqual([]);
    expect(found(standing('haproxy', ...ftp), ...puts(files))).toEqual([]);
  });

  it('keeps that policy while a service needs it, and LVS is not chosen without', () => {
    expect(found(standing('lvs'), deletion('Policy', 'realserver'))).toEqual(['balancer-conflict  web']);
    const asked = puts(cluster({ address: '10.0.0.1', balancer: 'lvs' }));
    expect(found(standing('haproxy', ...ftp, files), ...asked)).toEqual([
      'balancer-conflict documents/0/spec/balancer lvs',
    ]);
    const other = puts(cluster({ address: '10.0.0.1', balancer: 'lvs', fallback: { port: 99 } }));
    expect(found(standing('lvs', ...ftp, files), ...other)).toEqual([]);
  });
});
