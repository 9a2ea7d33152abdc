/** The health listener on real sockets: what it takes, what it refuses, and that it moves to where it is declared. */
import { once } from 'node:events';
import { type RequestOptions, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createListener, type Listener, type Place } from '../../agent/listener/listener.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { until } from '../support/until.ts';
import { freePort } from './web-nodes.ts';

let place: Place | null;
let failures: (string | null)[];
let listener: Listener;
let stop: () => Promise<void>;
let well: boolean;

const at = (port: number): Place => ({ address: '127.0.0.21', port });
beforeEach(async () => {
  place = at(await freePort());
  failures = [];
  well = true;
  listener = createListener({
    place: () => place,
    answer: ({ name, role }) =>
      name === 'web'
        ? { status: well ? 200 : 503, line: role ?? (well ? 'up' : 'draining') }
        : { status: 404, line: 'no' },
    failed: (reason) => void failures.push(reason),
    clock: systemClock,
    log: createLog('test', 'silent'),
  });
});
afterEach(() => stop());
const start = async () => {
  stop = listener.start();
  await until('it listens', () => listener.at() !== null);
};

interface Answer {
  status: number;
  body: string;
  headers: Record<string, unknown>;
}
const ask = (path: string, options: RequestOptions = {}, { port } = place!): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const from = { host: '127.0.0.21', port, path, agent: false, timeout: 5000, ...options };
    const sent = request(from, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end();
  });

/** What comes back for bytes that no client of HTTP would send. */
async function raw(text: string, { port } = place!): Promise<string> {
  const socket = connect({ host: '127.0.0.21', port });
  let answer = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    answer += part;
  });
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('[3.6] the health listener', () => {
  it('says 200 or 503 and one line, with nothing of who it is', async () => {
    await start();
    const good = await ask('/health/web');
    expect(good).toMatchObject({ status: 200, body: 'up\n' });
    expect(Object.keys(good.headers).sort()).toEqual([
      ...['cache-control', 'connection', 'content-length', 'content-type', 'date'],
    ]);
    well = false;
    expect(await ask('/health/web')).toMatchObject({ status: 503, body: 'draining\n' });
    expect(await ask('/health/web', { method: 'HEAD' })).toMatchObject({ status: 503, body: '' });
    expect(await ask('/health/web?role=mail')).toMatchObject({ body: 'mail\n' });
    expect((await raw('GET /health/web HTTP/1.0\r\n\r\n')).split('\r\n')[0]).toContain(' 503 ');
  });

  it('takes no other method and no other path', async () => {
    await start();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      expect(await ask('/health/web', { method })).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD' },
      });
    for (const path of [
      '/',
      '/health',
      '/health/',
      '/health/a/b',
      '/health/..%2f',
      '/health/web?x=1',
      '/metrics',
    ])
      expect((await ask(path)).status).toBe(404);
  });

  it('cuts off whoever sends too much, too little, or too often', async () => {
    await start();
    expect(await raw(`GET /health/web HTTP/1.1\r\nx: ${'a'.repeat(10_000)}\r\n\r\n`)).not.toContain(' 200 ');
    // A request that never ends is not waited for.
    expect(await raw('GET /health/web HTTP/1.1\r\n')).not.toContain(' 200 ');
    const statuses = await Promise.all(
      Array.from({ length: 400 }, () =>
        ask('/health/web').then(
          ({ status }) => status,
          () => 0,
        ),
      ),
    );
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(100);
    expect(statuses).toContain(429);
    expect((await ask('/health/web', { localAddress: '127.0.0.99' })).status).toBe(200);
  });

  it('lets no one host keep the others out', async () => {
    await start();
    const { port } = place!;
    const open = Array.from({ length: 600 }, () =>
      connect({ host: '127.0.0.21', port, localAddress: '127.0.0.22' }).on('error', () => undefined),
    );
    const isOpen = () => open.filter(({ closed, connecting }) => !closed && !connecting).length;
    await until('most of them are ended', () => isOpen() <= 32);
    expect((await ask('/health/web', { localAddress: '127.0.0.23' })).status).toBe(200);
    for (const socket of open) socket.destroy();
  });

  it('moves to where it is declared, and says so when it cannot', async () => {
    await start();
    const [before, free] = [place!, await freePort()];
    place = at(free);
    listener.look();
    await until('it has moved', () => listener.at()?.port === free);
    expect((await ask('/health/web')).status).toBe(200);
    await expect(ask('/health/web', {}, before)).rejects.toThrow('ECONNREFUSED');

    const other = createServer();
    other.listen({ host: '127.0.0.21', port: before.port });
    await once(other, 'listening');
    place = before;
    listener.look();
    await until('it says that it cannot', () => failures.at(-1) !== null);
    expect(failures.at(-1)).toContain(`127.0.0.21:${before.port}`);
    await new Promise((resolve) => other.close(resolve));
    await until('it listens when it can', () => listener.at()?.port === before.port);
    expect(failures.at(-1)).toBeNull();
  });

  it('stays where it is while nothing is known', async () => {
    await start();
    const { port } = place!;
    place = null;
    listener.look();
    expect((await ask('/health/web', {}, at(port))).status).toBe(200);
  });
});
