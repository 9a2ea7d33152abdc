/** What visitors fetched through a real HAProxy is what the API and the metrics say that its members carried. */
import { afterEach, describe, expect, it } from 'vitest';
import { createTraffic } from '../../agent/balance/traffic.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { judgePublish } from '../../manager/broker/authorize.ts';
import type { Traffic } from '../../protocol/messages.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { HistoryView } from '../../protocol/views.ts';
import { declare, startTestApi, type TestApi } from '../support/api.ts';
import { until } from '../support/until.ts';
import { type Bench, createBench, NODES } from './haproxy-bench.ts';
import { ask } from './web-nodes.ts';

const log = createLog('test', 'silent');
let bench: Bench;
let manager: TestApi;
afterEach(async () => {
  await bench.close();
  await manager.stop();
});

async function open() {
  bench = await createBench();
  manager = await startTestApi();
  const spec = { vip: '192.0.2.10', ports: [bench.port], pool: { role: 'web', check: 'http' } };
  await declare(manager.store, [
    { kind: 'VirtualService', name: 'web', spec },
    ...NODES.map((name, index) => ({
      ...{ kind: 'Node', name },
      spec: { roles: ['web'], address: `192.0.2.${index + 20}` },
    })),
    { kind: 'Node', name: 'lb1', spec: { roles: ['balancer'], address: '192.0.2.11' } },
  ]);
  const web = manager.store.view().VirtualService.get('web')!;
  const teller = createTraffic({
    read: async () => ({ source: 'haproxy', rows: await bench.driver.traffic() }),
    services: () => [web],
    say: (body) => {
      const payload = JSON.stringify({ ...body, session: 's1' });
      // As the broker takes it.
      const said = { topic: topicOf.traffic('lb1'), payload, qos: 0, retain: false };
      const judged = judgePublish({ node: 'lb1', roles: ['balancer'] }, said);
      if ('breach' in judged) throw new Error(`the broker drops it: ${judged.breach}`);
      manager.history.traffic('lb1', judged.accepted.message as Traffic);
    },
    clock: systemClock,
    log,
  });
  return { look: teller.look };
}

const visit = () => ask('127.0.0.1', bench.port);
const readAll = async (query = ''): Promise<HistoryView> =>
  (await manager.ask('GET', `/api/v1/pools/web/history${query}`)).json();

describe('[3.9] behind a real HAProxy', () => {
  it('the bytes and connections that were fetched are in the history, by member and for the service', async () => {
    const { look } = await open();
    await until('all take traffic', async () => (await visit()).status === 200);
    await look();
    const answers = await Promise.all(Array.from({ length: 30 }, () => visit()));
    const byNode = (node: string) => answers.filter((answer) => answer.node === node).length;
    // HAProxy counts a session when it has ended.
    await until('HAProxy has counted them', async () => {
      const rows = await bench.driver.traffic();
      return rows.every(({ active }) => active === 0);
    });
    await look();
    const sums = async () => {
      const { series } = await readAll();
      return new Map(
        series.map(({ member, points }) => [
          member,
          points.reduce((all, point) => all + point.connections, 0),
        ]),
      );
    };
    await until('it is kept', async () => (await sums()).get(null) === 30);
    expect(await sums()).toEqual(
      new Map([[null, 30], ...NODES.map((node) => [node, byNode(node)] as const)]),
    );
    const { series, step } = await readAll('?member=node-1');
    expect(step).toBe('10s');
    const bytes = series[0]!.points.reduce((all, { bytesOut }) => all + bytesOut, 0);
    // At least the body and the name of each answer; headers come to less than 500 bytes.
    expect(bytes).toBeGreaterThan(byNode('node-1') * 20);
    expect(bytes).toBeLessThan(byNode('node-1') * 500);
    expect(series[0]!.points.every(({ packetsIn }) => packetsIn === null)).toBe(true);
  });

  it('the metrics and the present traffic say the counters of each member, and never the stand-in', async () => {
    const { look } = await open();
    await until('all take traffic', async () => (await visit()).status === 200);
    await look();
    const metrics = (await manager.ask('GET', '/metrics')).body;
    const row =
      /^evenkeel_pool_member_connections_total\{service="web",member="node-1",director="lb1"\} \d+$/m;
    expect(metrics).toMatch(row);
    expect(metrics).not.toContain('member="_fallback"');
    const { items } = (await manager.ask('GET', '/api/v1/traffic')).json();
    const members = items.map(({ member }: { member: string | null }) => member);
    expect(members).toEqual([null, ...NODES]);
  });
});
