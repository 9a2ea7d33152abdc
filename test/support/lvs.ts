/** What a director of LVS goes by, for tests: two nodes, of which the second has no IPv6 address. */
import type { Declaration } from '../../agent/drivers/lvs/structure.ts';
import { parseResource, type Resource, type ResourceOf } from '../../protocol/resource.ts';

export function resource<K extends Resource['kind']>(kind: K, name: string, spec: object): ResourceOf<K> {
  const parsed = parseResource({ kind, name, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource as ResourceOf<K>;
}

export const serviceOf = (name: string, spec: object): ResourceOf<'VirtualService'> =>
  resource('VirtualService', name, {
    vip: '192.0.2.10',
    ports: [80],
    pool: { role: 'web', check: 'http' },
    ...spec,
  });

export const declaration = (services: Record<string, object>): Declaration => ({
  services: Object.entries(services).map(([name, spec]) => serviceOf(name, spec)),
  nodes: [
    resource('Node', 'n1', { roles: ['web'], address: '192.0.2.11', address6: 'fd00::11' }),
    resource('Node', 'n2', { roles: ['web'], address: '192.0.2.12' }),
    resource('Node', 'store', { roles: ['storage'], address: '192.0.2.21' }),
  ],
  director: { address: '192.0.2.5', fallbackPort: 2480 },
});
