/** The smoke test's own decisions: what is left over, who is asked, and why somebody is not. */
import { describe, expect, it } from 'vitest';
import { isLeftOver, newSite, siteDocument } from '../../cli/smoke/site.ts';
import {
  type Declared,
  doors,
  operatorOf,
  outOfPool,
  sitesRoles,
  unasked,
  webNodes,
} from '../../cli/smoke/world.ts';
import { parseResource } from '../../protocol/resource.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';
import { declared, shipped } from './render/declared.ts';

const NOW = 1_760_000_000_000;

describe('[4.2] the site of a smoke test', () => {
  it('is a good document under a name that no DNS leads to', () => {
    const site = newSite(NOW);
    expect(parseResource(siteDocument(site)).ok).toBe(true);
    expect(site.name).toMatch(/\.invalid$/);
    expect(newSite(NOW).name).not.toBe(site.name);
  });

  it('is left over when its process is gone, or it is older than any run lasts; no other site ever is', () => {
    const { name } = newSite(NOW);
    expect(isLeftOver(name, NOW + 1000, () => true)).toBe(false);
    expect(isLeftOver(name, NOW + 1000, () => false)).toBe(true);
    expect(isLeftOver(name, NOW + 3_600_000, () => true)).toBe(true);
    const elsewhere = name.replace(/smoke-[0-9a-f]{8}/, 'smoke-00000000');
    expect(isLeftOver(elsewhere, NOW + 1000, () => false)).toBe(false);
    expect(isLeftOver(elsewhere, NOW + 3_600_000, () => true)).toBe(true);
    for (const other of ['example.org', 'evenkeel-smoke-mine.invalid', 'evenkeel-smoke-1-2-3.example'])
      expect(isLeftOver(other, NOW + 3_600_000, () => false)).toBe(false);
  });
});

const view = (part: Partial<NodeView>): NodeView =>
  ({ name: 'n1', state: 'active', online: true, mode: 'enforce', ...part }) as NodeView;

describe('[4.2] whom a smoke test asks', () => {
  it('every node with a unit that takes sites, at its own port, and every service in the clear for such roles', async () => {
    const { resources } = await shipped();
    const of = <K extends Declared['policies'][number]['kind']>(kind: K) =>
      resources.filter((one) => one.kind === kind);
    const node = (name: string, roles: string[], parameters = {}) =>
      declared('Node', name, { address: '10.0.0.9', roles, parameters });
    const service = (name: string, spec: object) =>
      declared('VirtualService', name, {
        ...{ vip: '10.0.0.100', ports: [80], pool: { role: 'web', check: 'http' } },
        ...spec,
      });
    const world = {
      cluster: declared('Cluster', 'cluster', { address: '10.0.0.1' }),
      nodes: [
        node('n1', ['web']),
        node('n2', ['web', 'balancer'], { httpPort: 8080 }),
        node('n3', ['web'], { webServer: 'apache' }),
        node('lb', ['balancer']),
      ],
      policies: of('Policy'),
      services: [
        service('web', {}),
        service('stays', { persistence: { seconds: 60 } }),
        service('tls', { protocol: 'tcp', ports: [443] }),
        service('mail', { pool: { role: 'mail', check: 'smtp' } }),
      ],
    } as Declared;
    expect(webNodes(world).map(({ name, port }) => [name, port])).toEqual([
      ['n1', 80],
      ['n2', 8080],
      ['n3', 80],
    ]);
    expect(doors(world, sitesRoles(world)).map(({ service: name, sticks }) => [name, sticks])).toEqual([
      ['web', false],
      ['stays', true],
    ]);
  });

  it('not who is on hold or audited; who is away or has never joined is a failure, but in maintenance', () => {
    expect(unasked(view({}))).toBeUndefined();
    expect(unasked(undefined)).toMatchObject({ skip: false });
    expect(unasked(view({ state: 'pending' }))).toMatchObject({ skip: false, why: 'has not joined' });
    expect(unasked(view({ online: false }))).toMatchObject({ skip: false });
    expect(unasked(view({ online: false, maintenance: 'disk' }))).toMatchObject({ skip: true });
    expect(unasked(view({ hold: 'kernel' }))).toMatchObject({ skip: true });
    expect(unasked(view({ mode: 'audit' }))).toMatchObject({ skip: true });
    expect(operatorOf(view({ drain: 'disk' }))).toBe('drains: disk');
    expect(operatorOf(view({}))).toBeUndefined();
  });

  it('says why a member has no traffic, in the words of its director', () => {
    const pool = (actual: object, wanted: object = {}) =>
      ({
        members: [
          {
            node: 'n1',
            wanted: { weight: 100, reasons: ['report-failed'], ...wanted },
            actual: [{ director: 'lb1', state: 'up', detail: '', ...actual }],
          },
        ],
      }) as unknown as PoolView;
    expect(outOfPool(pool({}), 'n1')).toBeUndefined();
    expect(outOfPool(pool({ state: 'down', detail: 'refused' }), 'n1')).toBe('is down at lb1 (refused)');
    expect(outOfPool(pool({ state: 'down' }), 'n1')).toBe('is down at lb1 (report-failed)');
    expect(outOfPool(pool({}, { weight: 0 }), 'n1')).toBe('has the weight 0');
    expect(outOfPool(pool({}), 'n2')).toBe('is no member of the pool');
  });
});
