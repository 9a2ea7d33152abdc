/** What may happen to keepalived and to the table behind its back: the pool stays, connections stay, and drift is repaired. */
import { connect } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { visitor } from '../lan.ts';
import { overHttp, startLoad } from '../load.ts';
import { type TableRow, tableOf, taking } from '../table.ts';
import { useLab } from '../use-lab.ts';
import { visit } from '../visit.ts';
import { director, furnish, site, VIP, webNode, webService } from '../web.ts';

const SERVICE = `TCP ${VIP}:80`;
const lab = useLab({
  nodes: [director('d1'), webNode('w1'), webNode('w2')],
  documents: [site, webService({ scheduler: 'wrr' }, { slowStart: '20s' })],
});
const d1 = () => lab().box('d1');
const shape = (rows: readonly TableRow[]) =>
  rows
    .map(({ service, server, forwarding, weight }) => `${service} ${server} ${forwarding} ${weight}`)
    .sort();
const isWhole = async () => {
  const rows = await tableOf(d1());
  return taking(rows, SERVICE).length === 2 && rows.every(({ weight }) => weight === 100);
};

beforeAll(async () => {
  await furnish([lab().box('w1'), lab().box('w2')], lab().folder);
}, 60_000);
beforeEach(() => until('the table is whole', isWhole, 90_000), 120_000);

/** A connection that stands open through the VIP, and says whether it still works. */
function standing() {
  const socket = connect({ host: VIP, port: 80, localAddress: visitor(1) });
  socket.setEncoding('utf8');
  let text = '';
  let ended = '';
  socket.on('data', (part: string) => {
    text += part;
  });
  socket.on('error', (err) => {
    ended = err.message;
  });
  socket.on('close', () => {
    ended ||= 'closed';
  });
  return {
    works: async (): Promise<string> => {
      const before = text.length;
      socket.write('GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n');
      await until('it is answered, or has ended', () => text.length > before || ended !== '', 5000);
      return ended === '' ? 'works' : ended;
    },
    close: () => socket.destroy(),
  };
}

let connection: ReturnType<typeof standing> | undefined;
afterEach(() => connection?.close());

const pids = async () =>
  (await d1().run('cat /run/evenkeel/lvs*.pid 2>/dev/null || true')).trim().split('\n');

describe('[3 must show] keepalived', () => {
  it.each([
    ['killed with all its children', 'pkill -9 -f "keepalived.*balancer-lvs"'],
    ['its parent killed', 'kill -9 "$(pgrep -o -f "keepalived.*balancer-lvs")"'],
    ['stopped', 'kill "$(pgrep -o -f "keepalived.*balancer-lvs")"'],
  ])('%s: the table and a connection that stands are not touched, and it runs again', async (_, script) => {
    connection = standing();
    expect(await connection.works()).toBe('works');
    const before = await pids();
    const load = startLoad(overHttp(`http://${VIP}/`));
    await d1().run(script);
    expect(shape(await tableOf(d1()))).toHaveLength(2);
    await until('it runs again', async () => (await pids()).join() !== before.join(), 20_000);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await load.stop()).filter(({ failed }) => failed !== undefined)).toEqual([]);
    expect(await connection.works()).toBe('works');
  });

  it('obeys verdicts after it was killed: a member that dies then leaves, and comes back', async () => {
    await d1().run('pkill -9 -f "keepalived.*balancer-lvs"');
    const w2 = lab().box('w2');
    await w2.run('mv /usr/sbin/nginx /usr/sbin/nginx.away; pkill -9 nginx');
    await until(
      'w2 is out',
      async () => taking(await tableOf(d1()), SERVICE).join() === lab().box('w1').address,
      20_000,
    );
    await w2.run('mv /usr/sbin/nginx.away /usr/sbin/nginx');
    await until('w2 is back', async () => taking(await tableOf(d1()), SERVICE).length === 2, 60_000);
  });
});

describe('[3 must show] a render that is wrong', () => {
  const original = async () => {
    const params = { kind: 'Template' as const, name: 'lb/keepalived.conf.hbs' };
    const { spec } = await lab().api.call('get', { params });
    return spec as { syntax: string; text: string };
  };
  const template = (spec: object) => ({ kind: 'Template', name: 'lb/keepalived.conf.hbs', spec });

  it.each([
    ['empty', () => '# nothing\n'],
    ['truncated', (text: string) => text.slice(0, Math.floor(text.length * 0.6))],
  ])(
    'because it is %s never reaches keepalived: the table stays, and the unit says why',
    async (_, spoil) => {
      const good = await original();
      const before = shape(await tableOf(d1()));
      const refused = await lab()
        .apply([template({ ...good, text: spoil(good.text) })])
        .then(
          () => false,
          () => true,
        );
      if (!refused)
        await until(
          'the unit is held',
          async () => {
            const view = await lab().api.call('node', { params: { name: 'd1' } });
            const unit = view.units.find((one) => one.unit === 'balancer-lvs');
            return unit !== undefined && ['held', 'failed', 'rolledBack'].includes(unit.result);
          },
          30_000,
        );
      expect(shape(await tableOf(d1()))).toEqual(before);
      expect((await visit({ url: `http://${VIP}/`, count: 20 })).failed).toEqual([]);
      await lab().apply([template(good)]);
      await lab().settled();
    },
  );
});

describe('[3 must show] a hand on the table', () => {
  it.each([
    ['a real server removed', `ipvsadm -d -t ${VIP}:80 -r 10.77.0.12:80`],
    ['a real server added that nobody declared', `ipvsadm -a -t ${VIP}:80 -r 10.77.0.99:80 -g -w 5`],
    ['a weight changed', `ipvsadm -e -t ${VIP}:80 -r 10.77.0.12:80 -g -w 1`],
    ['the scheduler changed', `ipvsadm -E -t ${VIP}:80 -s wlc`],
    ['the service removed', `ipvsadm -D -t ${VIP}:80`],
    ['everything cleared', 'ipvsadm -C'],
  ])('is undone: %s', async (_, script) => {
    const scheduler = async () =>
      /^TCP\s+\S+ (?<name>\w+)/m.exec(await d1().run('cat /proc/net/ip_vs'))?.groups?.name;
    const before = { rows: shape(await tableOf(d1())), scheduler: await scheduler() };
    const at = Date.now();
    await d1().run(script);
    await until(
      'the table is as before',
      async () =>
        JSON.stringify({ rows: shape(await tableOf(d1())), scheduler: await scheduler() }) ===
        JSON.stringify(before),
      30_000,
    );
    process.stdout.write(`${script}: undone within ${Date.now() - at} ms\n`);
  });

  it('on what is not ours is left alone', async () => {
    await d1().run('ipvsadm -A -t 10.77.0.200:81 -s rr; ipvsadm -a -t 10.77.0.200:81 -r 10.77.0.12:81 -g');
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect(taking(await tableOf(d1()), 'TCP 10.77.0.200:81')).toEqual(['10.77.0.12']);
    await d1().run('ipvsadm -D -t 10.77.0.200:81');
  });
});

describe('[3 must show] when all members are down', () => {
  const nginx = (from: string, to: string) => `mv /usr/sbin/${from} /usr/sbin/${to}; pkill -9 nginx || true`;
  const RAMP_MS = 20_000;
  const weightsNow = async () =>
    (await tableOf(d1())).map(({ server, weight }) => `${server.split(':')[0]} ${weight}`).join(', ');

  it('the fallback page is served, and the first that comes back does not get the whole load at once', async () => {
    const [w1, w2] = [lab().box('w1'), lab().box('w2')];
    const asked = () => visit({ url: `http://${VIP}/`, count: 40, parallel: 4, timeout: 1000 });
    await Promise.all([w1, w2].map((box) => box.run(nginx('nginx', 'nginx.away'))));
    await until(
      'the fallback answers',
      async () =>
        (await visit({ url: `http://${VIP}/`, timeout: 1000 })).answers[0]?.body.includes('Back soon') ??
        false,
      30_000,
    );
    await w1.run(nginx('nginx.away', 'nginx'));
    await until(
      'the first one is in',
      async () => taking(await tableOf(d1()), SERVICE).includes(w1.address),
      60_000,
    );
    const back = Date.now();
    const shares: { second: number; share: number; table: string }[] = [];
    const grown = RAMP_MS / 1000 + 4;
    while ((shares.at(-1)?.second ?? 0) < grown) {
      const second = Math.round((Date.now() - back) / 100) / 10;
      const table = await weightsNow();
      const { split } = await asked();
      shares.push({ second, share: split.w1 ?? 0, table });
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    const lines = shares.map(
      ({ second, share, table }) =>
        `${String(second).padStart(6)} s ${String(share).padStart(4)} of 40   ${table}`,
    );
    process.stdout.write(
      `w1's share after it came back alone, slowStart ${RAMP_MS / 1000} s:\n${lines.join('\n')}\n`,
    );
    // A tenth is 4 of 40; the rest is for weights that change while the requests are sent.
    expect(shares[0]?.share).toBeLessThan(12);
    expect(shares.at(-1)?.share).toBe(40);
    await w2.run(nginx('nginx.away', 'nginx'));
    // Whose nginx was away for long is tried once a minute by then.
    await until('both are in with full weight', isWhole, 150_000);
  }, 300_000);
});
