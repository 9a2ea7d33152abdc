/** Select and decide: to which scopes each kind belongs, and what a pull is answered with. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SiteStub, Stored, View } from '../../../common/view.ts';
import { decide } from '../../../manager/desired/changes.ts';
import { followedScopes, interestsOf, scopesOf } from '../../../manager/desired/select.ts';
import { cluster, declare, node, policy, service, site, template } from '../store/declared.ts';
import { viewOf } from './viewed.ts';

const scopes = (view: View, resource: SiteStub | Stored | undefined) =>
  resource ? scopesOf(resource, interestsOf(view)).sort() : undefined;

const view = viewOf(
  cluster(),
  template('main.hbs', '{{> part.hbs}}'),
  template('part.hbs', '{{> deep.hbs}}'),
  template('deep.hbs', '{{> part.hbs}}'),
  template('unused.hbs'),
  policy('web', { inputs: { sites: { kind: 'Site' }, disks: { kind: 'Storage' } } }),
  policy('lb', {
    role: 'balancer',
    inputs: {
      pools: { kind: 'VirtualService' },
      members: { kind: 'Node', role: 'web' },
      cluster: { kind: 'Cluster' },
    },
    files: [{ template: 'deep.hbs', path: 'f' }],
  }),
  policy('hosts', { role: 'dns', inputs: { all: { kind: 'Node' } } }),
  node('web1'),
  node('lb1', { roles: ['balancer', 'spare'] }),
  site('a.example.org'),
  service('web'),
  declare('Storage', 'nfs', { server: '192.0.2.1', export: '/x', mountpoint: '/y' }),
);

it('[2.3] each kind belongs to the scopes of those who take it', () => {
  expect(scopes(view, view.Cluster.get('cluster'))).toEqual(['cluster', 'role/balancer']);
  expect(scopes(view, view.Policy.get('lb'))).toEqual(['role/balancer']);
  expect(scopes(view, view.Site.get('a.example.org'))).toEqual(['role/web']);
  expect(scopes(view, view.VirtualService.get('web'))).toEqual(['role/balancer']);
  expect(scopes(view, view.Storage.get('nfs'))).toEqual(['role/web']);
});

it('[2.3] a node belongs to its own scope and to the roles that take nodes of its roles', () => {
  expect(scopes(view, view.Node.get('web1'))).toEqual(['node/web1', 'role/balancer', 'role/dns']);
  expect(scopes(view, view.Node.get('lb1'))).toEqual(['node/lb1', 'role/dns']);
});

it('[2.3] a template belongs to the roles that name it or include it, also in a circle', () => {
  expect(scopes(view, view.Template.get('main.hbs'))).toEqual(['role/dns', 'role/web']);
  expect(scopes(view, view.Template.get('part.hbs'))).toEqual(['role/balancer', 'role/dns', 'role/web']);
  expect(scopes(view, view.Template.get('deep.hbs'))).toEqual(['role/balancer', 'role/dns', 'role/web']);
  expect(scopes(view, view.Template.get('unused.hbs'))).toEqual([]);
});

it('[2.3] every scope that a node or policy looks at is followed, with or without anything in it', () => {
  expect([...followedScopes(view)].sort()).toEqual([
    'cluster',
    'node/lb1',
    'node/web1',
    'role/balancer',
    'role/dns',
    'role/spare',
    'role/web',
  ]);
});

it('[2.3] a delta is for a revision that is known, remembered and of this epoch, however much has changed since', () => {
  const small = fc.nat({ max: 50 });
  const question = fc.record({
    epoch: fc.nat({ max: 3 }),
    since: small,
    head: fc.record({ epoch: fc.nat({ max: 3 }), rev: small }),
    floor: small,
  });
  fc.assert(
    fc.property(question, ({ epoch, since, head, floor }) => {
      const sound = epoch === head.epoch && since > 0 && since >= floor && since <= head.rev;
      expect(decide({ epoch, since, head, floor })).toBe(sound ? 'delta' : 'snapshot');
    }),
  );
});
