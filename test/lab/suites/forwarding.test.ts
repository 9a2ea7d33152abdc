/** Traffic from outside, by the kernel's own LVS: how it is spread, by which way it goes, and with whom a visitor stays. */
import { request } from 'node:https';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { visitor } from '../lan.ts';
import { tableOf, taking } from '../table.ts';
import { useLab } from '../use-lab.ts';
import { visit } from '../visit.ts';
import { DOMAIN, director, furnish, site, VIP, webNode, webService } from '../web.ts';

const lab = useLab({
  nodes: [
    // The kernel keeps to whom a visitor belongs for as long as it knows a connection of his.
    { ...director('d1'), parameters: { vrrpInterface: 'vec0', lvsTimeoutFin: 1 } },
    ...['w1', 'w2', 'w3'].map((name) => webNode(name)),
  ],
  documents: [site, webService()],
});
const web = ['w1', 'w2', 'w3'];
const d1 = () => lab().box('d1');
const url = `http://${VIP}/`;

let certificate = '';
beforeAll(async () => {
  certificate = await furnish(
    web.map((name) => lab().box(name)),
    lab().folder,
  );
});

/** Declares the service, and waits until the table shows it with all members. */
async function declare(spec: object, way: string, service = `TCP ${VIP}:80`): Promise<void> {
  await lab().apply([webService(spec)]);
  const isSo = async () => {
    const rows = (await tableOf(d1())).filter((row) => row.service === service);
    return rows.length === 3 && rows.every(({ forwarding, weight }) => forwarding === way && weight > 0);
  };
  await until('the table is as declared', isSo, 30_000);
  await lab().settled();
  // Members follow a moment after the director, and are out of the pool until they have.
  await until('all take visitors', isSo, 30_000);
}

/** Whether each share is within `tolerance` of what it should be. */
function expectShares(split: Record<string, number>, shares: Record<string, number>, tolerance: number) {
  const all = Object.values(split).reduce((sum, count) => sum + count, 0);
  for (const [node, share] of Object.entries(shares))
    expect(
      Math.abs((split[node] ?? 0) / all - share),
      `${node} in ${JSON.stringify(split)}`,
    ).toBeLessThanOrEqual(tolerance);
}

describe('[3.3] a thousand requests', () => {
  it.each([
    ['DR', 'Route'],
    ['NAT', 'Masq'],
    ['TUN', 'Tunnel'],
  ])('by %s reach each of three members to the same part, and none fails', async (forwarding, way) => {
    await declare({ forwarding }, way);
    const { split, failed } = await visit({ url, count: 1000, parallel: 8, from: [visitor(1), visitor(2)] });
    process.stdout.write(`${forwarding} rr: ${JSON.stringify(split)}\n`);
    expect(failed).toEqual([]);
    expectShares(split, { w1: 1 / 3, w2: 1 / 3, w3: 1 / 3 }, 0.01);
  });

  it('follow the weights of wrr', async () => {
    await declare({ scheduler: 'wrr', weights: { w1: 100, w2: 100, w3: 200 } }, 'Route');
    await until('the weights are there', async () =>
      (await tableOf(d1())).some(({ weight }) => weight === 200),
    );
    const { split, failed } = await visit({ url, count: 1000, parallel: 8 });
    process.stdout.write(`DR wrr 1:1:2: ${JSON.stringify(split)}\n`);
    expect(failed).toEqual([]);
    expectShares(split, { w1: 0.25, w2: 0.25, w3: 0.5 }, 0.02);
  });
});

describe('[3.3] a visitor', () => {
  const stays = async (from: string, count = 10): Promise<string[]> =>
    Object.keys((await visit({ url, count, from: [from] })).split);

  it('stays with one member while persistence lasts, moves when that fails, and stays with the other', async () => {
    await declare({ scheduler: 'rr', persistence: { seconds: 300 } }, 'Route');
    const homes = await Promise.all([11, 12, 13, 14, 15].map((nr) => stays(visitor(nr))));
    for (const nodes of homes) expect(nodes).toHaveLength(1);
    expect(new Set(homes.flat()).size).toBeGreaterThan(1);
    const [home = ''] = homes[0] ?? [];
    await lab().box(home).powerCut();
    await until(
      'the member is out',
      async () => !taking(await tableOf(d1()), `TCP ${VIP}:80`).includes(lab().box(home).address),
      20_000,
    );
    const next = await stays(visitor(11));
    expect(next).toHaveLength(1);
    expect(next).not.toEqual([home]);
  });

  it('is free again after the time of persistence', async () => {
    await declare({ scheduler: 'rr', persistence: { seconds: 2 } }, 'Route');
    const met = new Set<string>();
    for (let turn = 0; turn < 4; turn += 1) {
      for (const node of await stays(visitor(21), 2)) met.add(node);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
    }
    expect(met.size).toBeGreaterThan(1);
  });

  it('meets the same member at 80 and at 443 where ports are grouped', async () => {
    await lab().apply([
      { ...site, spec: { ...site.spec, tls: { certificate: '/srv/tls/cert.pem', key: '/srv/tls/key.pem' } } },
      webService({ ports: [80, 443], groupPorts: true, persistence: { seconds: 300 } }),
    ]);
    await until(
      'the group is in the table',
      async () => {
        const rows = (await tableOf(d1())).filter(({ service }) => service.startsWith('FWM'));
        return rows.length === 3 && rows.every(({ weight }) => weight > 0);
      },
      30_000,
    );
    await lab().settled();
    const from = [31, 32, 33, 34, 35, 36].map(visitor);
    const plain = await visit({ url, count: from.length, from });
    const secure = await Promise.all(from.map(secureNode));
    expect(plain.failed).toEqual([]);
    for (const [at, address] of from.entries())
      expect(secure[at]).toBe(plain.answers.find((answer) => answer.from === address)?.node);
    expect(new Set(secure).size).toBeGreaterThan(1);
  });
});

const secureNode = (from: string): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const sent = request(
      `https://${VIP}/`,
      {
        localAddress: from,
        agent: false,
        ca: certificate,
        servername: DOMAIN,
        signal: AbortSignal.timeout(5000),
      },
      (response) => {
        response.resume();
        resolve(response.headers['x-evenkeel-node'] as string | undefined);
      },
    );
    sent.once('error', reject);
    sent.end();
  });
