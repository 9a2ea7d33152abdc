/** What a smoke test makes of answers through the balancer: whom it has seen, whom it believes, and who is red. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../../cli/client.ts';
import { throughDoor } from '../../cli/smoke/balanced.ts';
import { fetchSite } from '../../cli/smoke/fetch.ts';
import { newSite, type SmokeSite } from '../../cli/smoke/site.ts';
import type { PoolView, TrafficView } from '../../protocol/views.ts';

// Where nobody counts that is waited for, as long as a director may take to tell.
vi.setConfig({ testTimeout: 120_000 });

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const site: SmokeSite = newSite(1_760_000_000_000);

/** In turn, as each member would: a name, whether it is shown, and what it serves. */
const turns = (...members: { node?: string; status?: number; to?: string }[]): RequestListener => {
  let turn = 0;
  return (request, response) => {
    const { node, status = 302, to = `/${site.token}` } = members[turn % members.length] ?? {};
    turn += 1;
    if (node !== undefined) response.setHeader('x-evenkeel-node', node);
    response.setHeader('location', `http://${request.headers.host}${to}`);
    response.writeHead(status).end();
  };
};

describe('[4.2] one answer', () => {
  it('is right only with the token of this run', async () => {
    const wrong = async (answer: RequestListener) =>
      (await fetchSite(site, '127.0.0.1', await serve(answer))).wrong;
    expect(await wrong(turns({}))).toBeUndefined();
    expect(await wrong(turns({ to: '/another' }))).toMatch(/^answered 302 to .*another, and not as/);
    expect(await wrong(turns({ status: 200 }))).toMatch(/^answered 200/);
    expect(await wrong(turns({ status: 421 }))).toBe('answered 421: it does not have the site');
    expect(await wrong((request) => request.socket.destroy())).toMatch(/hang up|ECONNRESET/);
    expect((await fetchSite(site, '127.0.0.1', 1)).wrong).toContain('ECONNREFUSED');
  });

  it('is asked for by the name of the site', async () => {
    const hosts: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      hosts.push(request.headers.host);
      response.end();
    });
    await fetchSite(site, '127.0.0.1', port);
    expect(hosts).toEqual([site.name]);
  });
});

const poolOf = (states: Record<string, string>): PoolView =>
  ({
    service: 'web',
    members: Object.entries(states).map(([node, state]) => ({
      node,
      wanted: { weight: 100, reasons: [] },
      actual: [{ director: 'lb', state, detail: '' }],
    })),
  }) as unknown as PoolView;

/** A manager that knows one pool, and whose director counts more each time it is asked. */
function clientOf(states: Record<string, string>, counts: Record<string, number[]> = {}): Client {
  let asked = 0;
  const call = async (name: string) => {
    if (name === 'pools') return { items: [poolOf(states)] };
    const at = asked;
    asked += 1;
    const items = Object.entries(counts).map(
      ([member, counted]) =>
        ({ service: 'web', member, connections: counted[Math.min(at, counted.length - 1)] }) as TrafficView,
    );
    return { items };
  };
  return { call } as unknown as Client;
}

async function through(
  answer: RequestListener,
  client: Client,
  { sticks = false, others = [] as string[] } = {},
): Promise<Record<string, string>> {
  const door = { service: 'web', role: 'web', vip: '127.0.0.1', port: await serve(answer), sticks };
  const looks = await throughDoor(client, door, { site, members: ['n1', 'n2'], others, patience: 50 });
  return Object.fromEntries([...looks].map(([name, { state, text }]) => [name, `${state}: ${text}`]));
}

const up = { n1: 'up', n2: 'up' };

describe('[4.2] through the balancer', () => {
  it('each that has named itself is seen; one that serves wrong is red by name', async () => {
    expect(await through(turns({ node: 'n1' }, { node: 'n2' }), clientOf(up))).toEqual({
      ...{ n1: 'ok: answered 1 of 2 requests', n2: 'ok: answered 1 of 2 requests' },
    });
    const half = await through(turns({ node: 'n1' }, { node: 'n2', status: 421 }), clientOf(up));
    expect(half.n1).toMatch(/^ok/);
    expect(half.n2).toBe('failed: answered 421: it does not have the site');
  });

  it('one that is never asked is red, with what its director says', async () => {
    const never = await through(turns({ node: 'n1' }), clientOf(up));
    expect(never.n2).toMatch(/^failed: took none of 8 requests/);
    const down = await through(turns({ node: 'n1' }), clientOf({ n1: 'up', n2: 'down' }));
    expect(down.n2).toBe('failed: took no request: it is down at lb');
  });

  it('a wrong answer without a name makes all red, but for that of one which takes no new site', async () => {
    const anonymous = await through(turns({}, { status: 421 }), clientOf(up));
    expect(Object.values(anonymous)).toEqual(
      Array(2).fill('failed: answered 421: it does not have the site'),
    );
    const held = turns({ node: 'n1' }, { node: 'n3', status: 421 }, { node: 'n2' });
    expect(Object.values(await through(held, clientOf({ ...up, n3: 'up' }), { others: ['n3'] }))).toEqual(
      Array(2).fill('ok: answered 1 of 3 requests'),
    );
  });

  it('and one that has named itself is not blamed for it, while another has not', async () => {
    const half = await through(turns({ node: 'n1' }, { status: 500 }), clientOf(up));
    expect(half.n1).toMatch(/^ok: answered 4 of 8/);
    expect(half.n2).toMatch(/^failed: answered 500/);
    const any = await through(turns({ status: 500 }, { node: 'n1' }, { node: 'n2' }), clientOf(up));
    expect(Object.values(any).every((text) => text.startsWith('failed: answered 500'))).toBe(true);
  });

  it('and a wrong answer without a name may be that of one which takes no new site', async () => {
    const pool = clientOf({ ...up, n3: 'up' });
    const mixed = await through(turns({}, { status: 421 }), pool, { others: ['n3'] });
    expect(Object.values(mixed)).toEqual(Array(2).fill('ok: is in the pool, which answered'));
  });

  it('but not of one that is out of the pool, and silence is nobody’s right', async () => {
    const out = clientOf({ ...up, n3: 'down' });
    const wrong = await through(turns({}, { status: 421 }), out, { others: ['n3'] });
    for (const text of Object.values(wrong)) expect(text).toMatch(/^failed: answered 421/);
    let asked = 0;
    const half: RequestListener = (request, response) => {
      asked += 1;
      if (asked % 2 === 0) request.socket.destroy();
      else turns({})(request, response);
    };
    const silent = await through(half, clientOf({ ...up, n3: 'up' }), { others: ['n3'] });
    for (const text of Object.values(silent)) expect(text).toMatch(/^failed: /);
  });

  it('where nobody names himself the counts of the director tell; without counts the answer alone', async () => {
    const counted = await through(turns({}), clientOf(up, { n1: [5, 5, 9], n2: [7, 7, 11] }));
    expect(counted).toEqual({
      n1: 'ok: took 4 connections meanwhile, as the director counts',
      n2: 'ok: took 4 connections meanwhile, as the director counts',
    });
    expect(await through(turns({}), clientOf(up))).toEqual({
      ...{ n1: 'ok: is in the pool, which answered', n2: 'ok: is in the pool, which answered' },
    });
  });

  it('where only some name themselves, the others are counted', async () => {
    const mixed = await through(turns({ node: 'n1' }, {}), clientOf(up, { n1: [1], n2: [7, 11] }));
    expect(mixed.n1).toMatch(/^ok: answered \d of 8 requests/);
    expect(mixed.n2).toBe('ok: took 4 connections meanwhile, as the director counts');
  });

  it('where a visitor stays with one member, the others are said to be in the pool', async () => {
    const stuck = await through(turns({ node: 'n1' }), clientOf(up), { sticks: true });
    expect(stuck.n1).toMatch(/^ok: answered/);
    expect(stuck.n2).toMatch(/^ok: is in the pool; a visitor stays/);
    const out = await through(turns({ node: 'n1' }), clientOf({ n1: 'up', n2: 'down' }), { sticks: true });
    expect(out.n2).toMatch(/^failed/);
  });

  it('nobody who answers is red for each', async () => {
    const none = await through((request) => request.socket.destroy(), clientOf(up));
    for (const text of Object.values(none)) expect(text).toMatch(/^failed: /);
  });
});
