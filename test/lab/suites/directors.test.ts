/** Two directors: the VIP and the connections that stand move when the one that has them loses its power. */
import { Agent, request } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import type { Guest } from '../guest.ts';
import { visitor } from '../lan.ts';
import { overHttp, startLoad } from '../load.ts';
import { tableOf, taking } from '../table.ts';
import { useLab } from '../use-lab.ts';
import { director, furnish, site, VIP, webNode, webService } from '../web.ts';

const lab = useLab({
  nodes: [director('d1'), director('d2'), webNode('w1'), webNode('w2')],
  documents: [site, webService()],
});
const url = `http://${VIP}/`;
const directors = () => ['d1', 'd2'].map((name) => lab().box(name));
const hasVip = async (box: Guest): Promise<boolean> =>
  box.isOn && (await box.run('ip -br address')).includes(`${VIP}/`);

/** The one that has the VIP, and the other. */
async function roles(): Promise<{ active: Guest; standby: Guest }> {
  const [d1, d2] = directors();
  if (!d1 || !d2) throw new Error('there are two directors');
  return (await hasVip(d1)) ? { active: d1, standby: d2 } : { active: d2, standby: d1 };
}

beforeAll(async () => {
  await furnish([lab().box('w1'), lab().box('w2')], lab().folder);
  await until(
    'both directors have the pool',
    async () => {
      const tables = await Promise.all(directors().map(tableOf));
      return tables.every((rows) => taking(rows, `TCP ${VIP}:80`).length === 2);
    },
    60_000,
  );
  await until(
    'one of them has the VIP',
    async () => (await Promise.all(directors().map(hasVip))).includes(true),
    30_000,
  );
}, 120_000);

/** One connection that stays open, asked again and again. */
function openConnection(from: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxTotalSockets: 1 });
  const ports = new Set<number>();
  return {
    ports,
    ask: () =>
      new Promise<number>((resolve, reject) => {
        const signal = AbortSignal.timeout(15_000);
        const sent = request(url, { agent, localAddress: from, signal }, (answer) => {
          ports.add(answer.socket.localPort ?? 0);
          answer.resume();
          answer.once('end', () => resolve(answer.statusCode ?? 0));
          answer.once('error', reject);
        });
        sent.once('error', reject);
        sent.end();
      }),
    close: () => agent.destroy(),
  };
}

describe('[3 must show] two directors', () => {
  it('one has the VIP, and both have the whole pool', async () => {
    const { active, standby } = await roles();
    expect([await hasVip(active), await hasVip(standby)]).toEqual([true, false]);
    expect(taking(await tableOf(standby), `TCP ${VIP}:80`)).toHaveLength(2);
  });

  it('at a power cut the VIP moves to the other, connections that stand go on, and it does not move back', async () => {
    const { active, standby } = await roles();
    const connections = [1, 2, 3, 4, 5].map((nr) => openConnection(visitor(nr)));
    // A connection is told to the other director after its first packets.
    for (let turn = 0; turn < 6; turn += 1) await Promise.all(connections.map(({ ask }) => ask()));
    await until(
      'the other director knows the connections that stand',
      async () => {
        const known = await standby.run('ipvsadm -Lcn');
        const standing = known.split('\n').filter((line) => line.includes('ESTABLISHED'));
        return [1, 2, 3, 4, 5].every((nr) => standing.some((line) => line.includes(`${visitor(nr)}:`)));
      },
      20_000,
    );
    const load = startLoad(overHttp(url), 100);
    const cut = Date.now();
    await active.powerCut();
    const answers = await Promise.all(connections.map(({ ask }) => ask()));
    const went = Date.now() - cut;
    await until('the VIP has moved', () => hasVip(standby), 20_000);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const samples = await load.stop();
    const failed = samples.filter((sample) => sample.failed !== undefined);
    const gap = failed.length === 0 ? 0 : Math.max(...failed.map(({ at }) => at)) - cut;
    process.stdout.write(
      `director power cut: standing connections answered after ${went} ms; ${failed.length} of ${samples.length} new requests failed, the last was sent ${gap} ms after the cut\n`,
    );
    expect(answers).toEqual([200, 200, 200, 200, 200]);
    for (const { ports } of connections) expect(ports.size).toBe(1);
    for (const { close } of connections) close();
    await active.boot();
    await until(
      'the first director is back',
      async () => taking(await tableOf(active), `TCP ${VIP}:80`).length === 2,
      60_000,
    );
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect([await hasVip(active), await hasVip(standby)]).toEqual([false, true]);
  });
});
