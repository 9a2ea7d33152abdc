/** Declared things for tests of store and deciders: each passes the same door as what people write. */
import type { Edit } from '../../../common/rules.ts';
import type { Kind, Resource, ResourceOf } from '../../../protocol/resource.ts';
import { parseResource } from '../../../protocol/resource.ts';

/** A resource with its defaults. @throws when the door refuses it */
export function declare<K extends Kind>(kind: K, name: string, spec: object): ResourceOf<K> {
  const parsed = parseResource({ kind, name, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource as ResourceOf<K>;
}

export const site = (name: string, spec: object = {}) =>
  declare('Site', name, { root: `/home/${name}`, ...spec });

export const template = (name: string, text = 'text', syntax = 'plain') =>
  declare('Template', name, { syntax, text });

/** A policy with one file and no daemon. */
export const policy = (name: string, spec: object = {}) =>
  declare('Policy', name, {
    role: 'web',
    files: [{ template: 'main.hbs', path: 'main.conf' }],
    ...spec,
  });

export const node = (name: string, spec: object = {}) =>
  declare('Node', name, { roles: ['web'], address: '127.0.0.11', ...spec });

export const cluster = (spec: object = {}) =>
  declare('Cluster', 'cluster', { address: '127.0.0.1', ...spec });

/** What lets nodes of the role answer behind LVS. */
export const realserver = (role = 'web') =>
  policy(`realserver-${role}`, {
    ...{ role, gate: true, kernel: 'main.conf' },
    inputs: { services: { kind: 'VirtualService' } },
  });

export const httpCheck = { name: 'http', type: 'http', port: '80', path: '/alive' };

export const service = (name: string, spec: object = {}) =>
  declare('VirtualService', name, {
    vip: '192.0.2.10',
    ports: [80],
    pool: { role: 'web', check: 'http', probe: {} },
    ...spec,
  });

/** Puts, with the places that an apply gives them. */
export const puts = (...resources: Resource[]): Edit[] =>
  resources.map((resource, at) => ({ op: 'put', resource, where: `documents/${at}` }));

export const deletion = (kind: Kind, name: string): Edit => ({ op: 'delete', kind, name, where: '' });

/** A small cluster: one policy that takes sites, its template, a node and a service. */
export const basics = (): Resource[] => [
  cluster({ balancer: 'haproxy' }),
  template('main.hbs'),
  policy('web', { inputs: { sites: { kind: 'Site' } }, checks: [httpCheck] }),
  node('web1'),
  service('web'),
];
