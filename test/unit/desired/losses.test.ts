/** One edit that would take the data or every service off the air is held up, with what would happen and the way to do it. */
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../common/rules.ts';
import { guard } from '../../../manager/desired/guard.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { shipped } from '../render/declared.ts';
import { cluster, declare, deletion, node, puts, service } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const { resources, find } = await shipped();
const nas = (spec: object = {}) => node('nas', { address: '10.0.0.40', roles: ['storage'], ...spec });
const lb = (spec: object = {}) => node('lb', { address: '10.0.0.10', roles: ['balancer'], ...spec });
const home = (spec: object = {}) =>
  declare('Storage', 'home', { server: { node: 'nas' }, export: '/data/home', mountpoint: '/home', ...spec });
const existing: Resource[] = [
  ...resources,
  cluster({ address: '10.0.0.1' }),
  ...[lb(), nas(), node('w1', { address: '10.0.0.11' }), node('w2', { address: '10.0.0.12' })],
  ...[home(), service('web')],
];
const guarded = (before: Resource[], ...edits: Edit[]) => guard(proposed(before, edits), 0);
const codes = (...edits: Edit[]) =>
  guarded(existing, ...edits).map(({ code, path }) => `${code} ${path}`.trim());
const without = (...names: string[]) => existing.filter(({ name }) => !names.includes(name));
const client = find('Policy', 'storage-nfs-client');

describe('[3.7] a storage that nodes mount is not taken from them by accident', () => {
  it.each<[string, Edit[], string]>([
    ['when it is deleted', [deletion('Storage', 'home')], 'storage-elsewhere'],
    ['when its server is deleted', [deletion('Node', 'nas')], 'storage-elsewhere'],
    ['when its server loses the role', puts(nas({ roles: [] })), 'storage-elsewhere documents/0/spec/roles'],
    [
      'when its server gets another address',
      puts(nas({ address: '10.0.0.41' })),
      'storage-elsewhere documents/0/spec/address',
    ],
    [
      'when it is to be mounted elsewhere',
      puts(home({ mountpoint: '/srv' })),
      'storage-elsewhere documents/0/spec/mountpoint',
    ],
    [
      'when another server is named',
      puts(home({ server: '10.0.0.50' })),
      'storage-elsewhere documents/0/spec/server',
    ],
    ['when the policy that mounts it goes', [deletion('Policy', client.name)], 'storage-elsewhere'],
    [
      'when that policy is given to others',
      puts({ ...client, spec: { ...client.spec, role: 'other' } }),
      'storage-elsewhere documents/0/spec/role',
    ],
  ])('%s', (_, edits, expected) => {
    expect(codes(...edits)).toEqual([expected]);
  });

  it('and the link that leads to it neither', () => {
    const linked = [...without('home'), home({ link: '/srv' })];
    expect(guarded(linked, ...puts(home())).map(({ path }) => path)).toEqual(['documents/0/spec/link']);
    expect(codes(...puts(home({ link: '/srv' })))).toEqual([]);
  });

  it('says which nodes mount it, where, and how to do it properly', () => {
    const [gone] = guarded(existing, deletion('Node', 'nas'));
    expect(gone).toMatchObject({
      value: 'home',
      message:
        'w1, w2 mount Storage/home at /home from 10.0.0.40:/data/home; it would be taken from them, and programs there would see an empty folder',
      fix: 'move it to another server first: evenkeel storage move home; if it is lost, repeat it with --force (by API ?force=true)',
    });
  });

  it('but what changes nothing for a node that mounts it is nobody’s matter', () => {
    expect(codes(...puts(home({ quotas: { ann: { soft: '1g', hard: '2g' } } })))).toEqual([]);
    expect(codes(...puts(nas({ weight: 7, roles: ['storage', 'mail'] })))).toEqual([]);
    expect(codes(...puts(node('w1', { address: '10.0.0.11', roles: [] })))).toEqual([]);
    expect(codes(deletion('Node', 'w1'))).toEqual([]);
    expect(guarded(without('w1', 'w2', 'web'), deletion('Storage', 'home'))).toEqual([]);
    expect(guarded(without('nas'), ...puts(nas()))).toEqual([]);
  });
});

describe('[3.2] services are not left without a balancer by accident', () => {
  it.each<[string, Edit[], string]>([
    ['when the last director is deleted', [deletion('Node', 'lb')], 'no-director'],
    ['when it loses the role', puts(lb({ roles: [] })), 'no-director documents/0/spec/roles'],
    [
      'when the balancer is to be somebody else’s',
      puts(cluster({ address: '10.0.0.1', balancer: 'external' })),
      'no-director documents/0/spec/balancer',
    ],
  ])('%s', (_, edits, expected) => {
    expect(codes(...edits)).toEqual([expected]);
  });

  it('and what would happen is said with the way round', () => {
    const [problem] = guarded(existing, deletion('Node', 'lb'));
    expect(problem).toMatchObject({ message: 'nobody would balance web any more: lb is the last director' });
    expect(problem?.fix).toContain('give another node the role balancer first');
  });

  it('but one of two may go, another one may take its place, and where nobody is served nothing is lost', () => {
    const second = node('lb2', { address: '10.0.0.20', roles: ['balancer'] });
    expect(guarded([...existing, second], deletion('Node', 'lb'))).toEqual([]);
    expect(codes(...puts(second), deletion('Node', 'lb'))).toEqual([]);
    expect(codes(...puts(cluster({ address: '10.0.0.1', balancer: 'haproxy' })))).toEqual([]);
    expect(guarded(without('web'), deletion('Node', 'lb'))).toEqual([]);
    expect(guarded(without('lb'), ...puts(cluster({ address: '10.0.0.1', balancer: 'external' })))).toEqual(
      [],
    );
  });
});
