/**
 * Two boxes that hold every role: each is a director and a member. Visitors are spread over both, the one that waits
 * spreads nothing by itself, and the VIP is on the loopback of both whoever has it on his card.
 */
import { beforeAll, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import type { Guest } from '../guest.ts';
import { run } from '../host.ts';
import { visitor } from '../lan.ts';
import { overHttp, startLoad } from '../load.ts';
import { tableOf, taking } from '../table.ts';
import { useLab } from '../use-lab.ts';
import { visit } from '../visit.ts';
import { furnish, site, VIP, webService } from '../web.ts';

const both = { roles: ['balancer', 'web'], parameters: { vrrpInterface: 'vec0', nodeHeader: true } };
const lab = useLab({
  nodes: [
    { name: 'b1', ...both },
    { name: 'b2', ...both },
  ],
  documents: [site, webService()],
});
const url = `http://${VIP}/`;
const boxes = () => ['b1', 'b2'].map((name) => lab().box(name));
const addressesOn = async (box: Guest, card: string) => box.run(`ip -4 -o address show dev ${card}`);
const hasVip = async (box: Guest): Promise<boolean> =>
  box.isOn && (await addressesOn(box, 'vec0')).includes(`${VIP}/`);
const holders = async (): Promise<Guest[]> => {
  const found = await Promise.all(boxes().map(hasVip));
  return boxes().filter((_, at) => found[at]);
};

/** Asks twice a second: who is asked has one processor, starts a process for each answer, and serves visitors meanwhile. */
const calmly =
  (isSo: () => Promise<boolean>): (() => Promise<boolean>) =>
  async () => {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return false;
  };

/** Waits until one alone has the VIP, and both pools are whole. */
async function inOrder(): Promise<{ active: Guest; standby: Guest }> {
  await until(
    'one director has the VIP, and both have both members',
    calmly(async () => {
      const tables = await Promise.all(boxes().map(tableOf));
      const whole = tables.every((rows) => taking(rows, `TCP ${VIP}:80`).length === 2);
      return whole && (await holders()).length === 1;
    }),
    90_000,
  );
  const [active] = await holders();
  const standby = boxes().find((box) => box !== active);
  if (!active || !standby) throw new Error('the VIP has gone');
  return { active, standby };
}

/** How many packets the kernel's LVS has taken from visitors: the whole of it, and in how many connections. */
async function spread(box: Guest): Promise<{ connections: number; packets: number }> {
  const stats = await box.run('sed -n 3p /proc/net/ip_vs_stats');
  const [connections = 0, packets = 0] = stats
    .trim()
    .split(/\s+/)
    .map((hex) => Number.parseInt(hex, 16));
  return { connections, packets };
}

const visitMany = (count: number) => visit({ url, count, parallel: 4, from: [1, 2, 3, 4].map(visitor) });
const say = (line: string) => process.stdout.write(`member-directors: ${line}\n`);

beforeAll(async () => {
  await furnish(boxes(), lab().folder);
  await inOrder();
}, 120_000);

it('[3.4] both boxes serve, and the one that waits spreads nothing again', async () => {
  const { active, standby } = await inOrder();
  const before = await Promise.all([spread(active), spread(standby)]);
  const { split, failed } = await visitMany(200);
  const want = (before[0]?.connections ?? 0) + 200;
  await until('LVS has counted them', async () => (await spread(active)).connections >= want, 10_000);
  // Kernels count every two seconds, each at its own time.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const after = await Promise.all([spread(active), spread(standby)]);
  const seen = after.map(({ packets }, at) => packets - (before[at]?.packets ?? 0));
  say(`${JSON.stringify(split)}, ${failed.length} failed; packets that LVS took: ${seen.join(' and ')}`);
  expect([failed, split]).toEqual([[], { b1: 100, b2: 100 }]);
  expect([after[0]?.connections, after[1]]).toEqual([want, before[1]]);
});

it('[3.4] the VIP on the loopback of the one that waits answers nobody, and stays when the VIP is given back', async () => {
  const { active, standby } = await inOrder();
  active.cut();
  run('ip', ['neigh', 'flush', 'to', VIP]);
  // Sooner than the other takes the VIP: who answers now has it on the loopback alone.
  const asked = await new Promise<string>((resolve) => {
    try {
      resolve(run('ping', ['-c', '1', '-W', '1', VIP]));
    } catch {
      resolve('nobody');
    }
  });
  expect([asked, await hasVip(standby)]).toEqual(['nobody', false]);
  await until(
    'the other has the VIP',
    calmly(() => hasVip(standby)),
    20_000,
  );
  const alone = await visitMany(20);
  expect([alone.failed, alone.split]).toEqual([[], { [standby.name]: 20 }]);
  active.join();
  const after = await inOrder();
  say(`after the cable was back ${after.active === active ? 'the first' : 'the other'} has the VIP`);
  for (const box of boxes()) expect(await addressesOn(box, 'lo')).toContain(`${VIP}/32`);
  expect(await addressesOn(after.standby, 'vec0')).not.toContain(VIP);
  const { split, failed } = await visitMany(40);
  expect([failed, split]).toEqual([[], { b1: 20, b2: 20 }]);
});

it('[3.4] at a power cut the other one takes the VIP and serves alone, and the first comes back without a request that fails', async () => {
  const { active, standby } = await inOrder();
  const cut = Date.now();
  await active.powerCut();
  await until(
    'the other has the VIP',
    calmly(() => hasVip(standby)),
    20_000,
  );
  const moved = Date.now() - cut;
  await until(
    'it is the only member',
    calmly(async () => taking(await tableOf(standby), `TCP ${VIP}:80`).length === 1),
    20_000,
  );
  const alone = await visitMany(20);
  expect([alone.failed, alone.split]).toEqual([[], { [standby.name]: 20 }]);
  const load = startLoad(overHttp(url), 100);
  await active.boot();
  const after = await inOrder();
  const back = Date.now() - cut;
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const samples = await load.stop();
  const lost = samples.filter(({ failed }) => failed !== undefined);
  say(`power cut: the VIP moved within ${moved} ms; the first box was whole again ${back} ms after it`);
  say(`while it came back ${lost.length} of ${samples.length} requests failed`);
  expect(lost.map(({ at, failed }) => [at - cut, failed])).toEqual([]);
  expect(after.active).toBe(standby);
  const { split, failed } = await visitMany(40);
  expect([failed, split]).toEqual([[], { b1: 20, b2: 20 }]);
});
