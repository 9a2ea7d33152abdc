/** What is declared for a balancer that somebody else runs, and does nothing there, is said beside the answer. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ApplyAnswer } from '../../../protocol/views.ts';
import { declare, node, startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await declare(api.store, [node('n1', ['web'], '127.0.0.11')]);
});
afterAll(() => api.stop());

const service = (name: string, spec: object = {}) => ({
  ...{ kind: 'VirtualService', name },
  spec: {
    vip: '192.0.2.10',
    ports: [{ port: 80, target: 80 }],
    pool: { role: 'web', check: 'http' },
    ...spec,
  },
});
const cluster = (balancer: string) => ({
  kind: 'Cluster',
  name: 'cluster',
  spec: { address: '127.0.0.1', balancer },
});
const warningsOf = async (documents: object[], query = ''): Promise<string[]> => {
  const answer = await api.ask('POST', `/api/v1/apply${query}`, { documents });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<ApplyAnswer>().warnings;
};
const IDLE =
  'VirtualService/web: the balancer is external, so scheduler, persistence have no effect: set that where it runs';

it('[3.6] fields that an external balancer never sees are named at apply, and only there', async () => {
  const spread = service('web', { scheduler: 'rr', persistence: { seconds: 60 } });
  expect(await warningsOf([cluster('haproxy'), spread])).toEqual([]);
  expect(await warningsOf([cluster('external')], '?dryRun=true')).toEqual([IDLE]);
  expect(await warningsOf([cluster('external')])).toEqual([IDLE]);
  expect(await warningsOf([spread])).toEqual([]);
  const one = { ...spread.spec, forwarding: 'NAT', scheduler: 'wlc', persistence: undefined };
  const put = await api.ask('PUT', '/api/v1/resources/VirtualService/web', { spec: one });
  expect(decodeURIComponent(String(put.headers['x-evenkeel-warnings']))).toContain(
    'so forwarding has no effect',
  );
  expect(await warningsOf([service('web')])).toEqual([]);
});

it('[3.10] weights and slow start are named where the scheduler of LVS knows none, and what to use instead', async () => {
  const slow = { role: 'web', check: 'http', slowStart: '30s' };
  const spread = service('web', { scheduler: 'rr', weights: { n1: 5 }, pool: slow });
  expect(await warningsOf([cluster('lvs'), spread])).toEqual([
    'VirtualService/web: the scheduler rr of LVS knows no weights, so pool.slowStart and weights do nothing: use wrr',
  ]);
  expect(await warningsOf([service('web', { scheduler: 'wrr', weights: { n1: 5 }, pool: slow })])).toEqual(
    [],
  );
});

it('[3.3] a group of ports without persistence is named: it alone keeps nobody with one member', async () => {
  const both = { ports: [80, 443].map((port) => ({ port, target: port })), groupPorts: true };
  expect(await warningsOf([cluster('lvs'), service('web', both)])).toEqual([
    'VirtualService/web: groupPorts without persistence leads a visitor to another member at each connection: set persistence: {seconds: 300}',
  ]);
  expect(await warningsOf([service('web', { ...both, persistence: { seconds: 60 } })])).toEqual([]);
});

it('[3.2] addresses that nobody puts on a box while the balancer is haproxy are named', async () => {
  const told = 'with the balancer haproxy nobody here puts 192.0.2.10 on a box';
  await declare(api.store, [node('d1', ['balancer'], '127.0.0.5')]);
  expect(await warningsOf([service('web', { vip: '127.0.0.9' }), cluster('haproxy')])).toEqual([]);
  expect(await warningsOf([service('web')])).toEqual([expect.stringContaining(told)]);
  const director = node('d1', ['balancer'], '127.0.0.5', { parameters: { vipInterface: 'eth0' } });
  await declare(api.store, [director]);
  expect(await warningsOf([service('web'), cluster('lvs')])).toEqual([]);
  expect(await warningsOf([cluster('haproxy')])).toEqual([]);
});
