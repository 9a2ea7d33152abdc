/** Another balancer: the same address is served by LVS, then by HAProxy, then by LVS again; and a card that is not there. */
import { beforeAll, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { tableOf, taking } from '../table.ts';
import { useLab } from '../use-lab.ts';
import { visit } from '../visit.ts';
import { director, furnish, site, VIP, webNode, webService } from '../web.ts';

const WEB = `TCP ${VIP}:80`;
const lab = useLab({
  nodes: [director('d1'), webNode('w1'), webNode('w2')],
  documents: [site, webService()],
});
const d1 = () => lab().box('d1');
const both = () => ['w1', 'w2'].map((name) => lab().box(name).address);
beforeAll(async () => {
  await furnish([lab().box('w1'), lab().box('w2')], lab().folder);
}, 60_000);

const parameters = (changed: Record<string, string | null>) =>
  lab().api.call('patch', {
    params: { kind: 'Node', name: 'd1' },
    body: { spec: { parameters: changed } },
  });
const balancer = async (name: string) => {
  const params = { kind: 'Cluster' as const, name: 'cluster' };
  const { spec } = await lab().api.call('get', { params });
  return lab().api.call('apply', {
    body: {
      documents: [{ kind: 'Cluster', name: 'cluster', spec: { ...(spec as object), balancer: name } }],
    },
  });
};
const answers = async () => {
  const { split, failed } = await visit({ url: `http://${VIP}/`, count: 10, timeout: 2000 });
  return failed.length === 0 && (split.w1 ?? 0) > 0 && (split.w2 ?? 0) > 0;
};
const holders = async () => (await d1().run(`ip -o -4 address show | grep -c ' ${VIP}/' || true`)).trim();
const unitOf = async (name: string) =>
  (await lab().api.call('node', { params: { name: 'd1' } })).units.find(({ unit }) => unit === name);

it('[3.2] from lvs to haproxy the director keeps the address, and back it leaves nothing of it behind', async () => {
  await until('lvs serves', answers, 60_000);
  await parameters({ vipInterface: 'vec0' });
  await balancer('haproxy');
  await until('the table is left', async () => (await tableOf(d1())).length === 0, 60_000);
  await until('haproxy serves', answers, 90_000);
  await lab().settled(['d1']);
  expect(await holders()).toBe('1');

  await balancer('lvs');
  await until('both are in', async () => taking(await tableOf(d1()), WEB).join() === both().join(), 90_000);
  await until('lvs serves again', answers, 60_000);
  await lab().settled(['d1']);
  await d1().run('kill "$(cat /run/evenkeel/vrrp.pid)"; sleep 1');
  expect(await holders()).toBe('0');
  await until('VRRP has it again', answers, 60_000);
}, 400_000);

it('[3.2] where nobody holds the address haproxy runs all the same, and apply says that nobody does', async () => {
  await parameters({ vipInterface: null });
  const { warnings } = await balancer('haproxy');
  expect(warnings.join()).toContain(`nobody here puts ${VIP} on a box`);
  await until('haproxy runs', async () => (await unitOf('balancer-haproxy'))?.digest !== undefined, 60_000);
  await lab().settled(['d1']);
  expect(await holders()).toBe('0');
  expect(['changed', 'unchanged', 'corrected']).toContain((await unitOf('balancer-haproxy'))?.result);
  // As a keepalived of somebody else would.
  await d1().run(`ip address add ${VIP}/32 dev vec0`);
  await until('it serves', answers, 60_000);
  await d1().run(`ip address del ${VIP}/32 dev vec0`);
}, 200_000);

it('[3.2] a card that is not there is named, with those that are, and once it is right the address comes', async () => {
  await parameters({ vrrpInterface: 'eth0' });
  await balancer('lvs');
  await until('it is said', async () => (await unitOf('balancer-vrrp'))?.error !== undefined, 60_000);
  expect((await unitOf('balancer-vrrp'))?.error).toMatch(
    /card eth0 of vrrpInterface: there is no such device .*vec0 \(10\.77\.0\.\d+/,
  );
  await parameters({ vrrpInterface: 'vec0' });
  await until('lvs serves', answers, 90_000);
}, 200_000);
