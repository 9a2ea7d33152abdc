/** Who may ask what, and how every refusal looks: derived from the table of endpoints, so a new one is held to it at once. */
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Endpoint, api as table } from '../../../protocol/endpoints.ts';
import { type AccessRole, roles } from '../../../protocol/views.ts';
import { declare, node, startTestApi, type TestApi } from '../../support/api.ts';
import { problemOf } from '../../support/problem.ts';
import { until } from '../../support/until.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    failuresPerMinute: 10_000,
    ask: async () => {
      throw new Error('the secret of the broker is abc');
    },
    seen: (view) => ({ ...view, online: true }),
  });
  await declare(api.store, [node('n1', ['web'], '127.0.0.11')]);
});
afterAll(() => api.stop());

/** Sends text as it is over TLS, and waits for all that is answered. */
const speak = (text: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: api.api.port(), ca: api.pki.bundle() });
    let answer = '';
    socket.setEncoding('utf8').on('data', (piece: string) => {
      answer += piece;
      if (/\r\n\r\n.*\}$/s.test(answer)) socket.end();
    });
    socket.once('close', () => resolve(answer)).once('error', reject);
    socket.write(text);
  });

const endpoints = Object.entries(table) as [string, Endpoint][];
const closed = endpoints.filter(([, { access }]) => access !== 'none');
const urlOf = ({ path }: Endpoint) =>
  path.replace(':kind', 'Site').replace(':name', 'n1').replace('*', 'a.example');
const as = (token: string) => ({ authorization: `Bearer ${token}` });

describe('[2.8] access', () => {
  it.each(closed)(
    '%s is closed to whoever has no token, a wrong one, or another scheme',
    async (_, endpoint) => {
      for (const authorization of ['', `Bearer ek_${'A'.repeat(43)}`, `Basic ${api.tokens.admin}`]) {
        const answer = await api.app.inject({
          method: endpoint.method,
          url: urlOf(endpoint),
          headers: { authorization },
        });
        expect(problemOf(answer)).toMatchObject({ status: 401, code: 'unauthenticated' });
        expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
      }
    },
  );

  const below = closed.flatMap(([name, endpoint]) =>
    roles
      .filter((role) => roles.indexOf(role) < roles.indexOf(endpoint.access as AccessRole))
      .map((role) => ({ name, endpoint, role })),
  );
  it.each(below)('$name is refused to the role $role', async ({ endpoint, role }) => {
    const answer = await api.ask(endpoint.method, urlOf(endpoint), undefined, as(api.tokens[role]));
    expect(problemOf(answer)).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('a token that is revoked opens nothing any more, and the last admin token cannot be', async () => {
    const made = await api.ask('POST', '/api/v1/tokens', { name: 'ci', role: 'viewer' });
    expect(made.statusCode).toBe(201);
    const { token } = made.json<{ token: string }>();
    expect(token).toMatch(/^ek_[A-Za-z0-9_-]{43}$/);
    expect((await api.ask('GET', '/api/v1/state', undefined, as(token))).statusCode).toBe(200);
    expect((await api.ask('GET', '/api/v1/tokens')).body).not.toContain(token);
    expect((await api.ask('DELETE', '/api/v1/tokens/ci')).json()).toEqual({ revoked: true });
    expect((await api.ask('GET', '/api/v1/state', undefined, as(token))).statusCode).toBe(401);
    expect(problemOf(await api.ask('DELETE', '/api/v1/tokens/admin')).code).toBe('still-referenced');
    expect(problemOf(await api.ask('DELETE', '/api/v1/tokens/ci')).code).toBe('not-found');
  });
});

describe('[2.8] guessing', () => {
  it('is answered with patience after so many failures, while a valid token is never asked to wait', async () => {
    const strict = await startTestApi({ failuresPerMinute: 3 });
    const guess = () => strict.ask('GET', '/api/v1/state', undefined, as(`ek_${'B'.repeat(43)}`));
    const codes = [];
    for (let tries = 0; tries < 5; tries += 1) codes.push((await guess()).statusCode);
    expect(codes).toEqual([401, 401, 401, 429, 429]);
    const limited = await guess();
    expect(problemOf(limited).code).toBe('rate-limited');
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect((await strict.ask('GET', '/api/v1/state')).statusCode).toBe(200);
    const join = { secret: 'x', name: 'n1', csr: 'x', facts: {} };
    for (const door of ['/join/v1', '/join/v1/preflight'])
      expect((await strict.ask('POST', door, join)).statusCode).toBe(429);
    await strict.stop();
  });

  it('is an event with the address and without the token, one for a hundred tries; whoever forgot theirs is none', async () => {
    const watched = await startTestApi({ failuresPerMinute: 10_000 });
    const secret = `ek_${'C'.repeat(43)}`;
    await watched.ask('GET', '/api/v1/state', undefined, { authorization: '' });
    await watched.app.inject({ method: 'GET', url: '/api/v1/state' });
    for (let tries = 0; tries < 100; tries += 1)
      await watched.ask('GET', '/api/v1/state', undefined, as(secret));
    const events = async () => (await watched.ask('GET', '/api/v1/events?type=trust')).json().items;
    await until('it is kept', async () => (await events()).length > 0);
    expect(await events()).toMatchObject([
      { type: 'trust.refused', subject: '127.0.0.1', data: { door: 'token', who: '127.0.0.1', count: 1 } },
    ]);
    expect(JSON.stringify(await events())).not.toContain('CCCC');
    const { body } = await watched.ask('GET', '/metrics');
    expect(body).toContain('evenkeel_refused{door="token"} 100');
    await watched.stop();
  });
});

describe('[2.8] every refusal is a problem document', () => {
  it('a path that there is not', async () => {
    expect(problemOf(await api.ask('GET', '/api/v1/nothing'))).toMatchObject({
      status: 404,
      code: 'not-found',
    });
  });
  it('a method that the path does not know, with those that it knows', async () => {
    const answer = await api.ask('DELETE', '/api/v1/apply');
    expect(problemOf(answer)).toMatchObject({ status: 405, code: 'method-not-allowed' });
    expect(answer.headers.allow).toBe('POST');
    expect((await api.ask('POST', '/api/v1/resources/Site/a.example')).headers.allow).toBe(
      'GET, PUT, PATCH, DELETE',
    );
  });
  it('a body that is too large, of an unknown type, or no JSON', async () => {
    const send = (payload: string, type = 'application/json') =>
      api.app.inject({
        ...{ method: 'POST', url: '/api/v1/tokens', payload },
        headers: { ...as(api.tokens.admin), 'content-type': type },
      });
    const large = JSON.stringify({ name: 'x'.repeat(5 * 1024 * 1024), role: 'viewer' });
    expect(problemOf(await send(large))).toMatchObject({ status: 413, code: 'payload-too-large' });
    expect(problemOf(await send('a=b', 'application/x-www-form-urlencoded'))).toMatchObject({
      status: 415,
      code: 'unsupported-media-type',
    });
    expect(problemOf(await send('{"name":'))).toMatchObject({ status: 400, code: 'bad-request' });
    expect(problemOf(await send('{"__proto__": {"role": "admin"}}'))).toMatchObject({ status: 400 });
  });
  it('what is hardly a request: every answer is a problem document with a code', async () => {
    const get = (path: string, headers = 'Host: x') => `GET ${path} HTTP/1.1\r\n${headers}\r\n\r\n`;
    const cases: [what: string, text: string, status: number, code: string][] = [
      ['a malformed URL', get('/api/v1/nodes/%zz'), 400, 'bad-request'],
      ['a part that is too long', get(`/api/v1/nodes/${'n'.repeat(700)}`), 400, 'bad-request'],
      ['a wrong version', 'GET /healthz HTTP/9.9\r\n\r\n', 400, 'bad-request'],
      ['an unknown method', 'FROB /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'bad-request'],
      ['a known method that nothing takes', 'PROPFIND /x HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'not-found'],
      ['no HTTP at all', '\x16\x03\x01 hello\r\n\r\n', 400, 'bad-request'],
      ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 400, 'bad-request'],
      [
        'two lengths',
        get('/healthz', 'Host: x\r\nContent-Length: 1\r\nContent-Length: 2'),
        400,
        'bad-request',
      ],
      ['too many headers', get('/healthz', `Host: x\r\nX: ${'y'.repeat(70_000)}`), 431, 'headers-too-large'],
    ];
    for (const [what, text, status, code] of cases) {
      const [head = '', body = ''] = (await speak(text)).split('\r\n\r\n');
      expect(head, what).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(head, what).toMatch(/content-type: application\/problem\+json/i);
      expect(JSON.parse(body), what).toMatchObject({ status, code, type: `urn:evenkeel:error:${code}` });
    }
  });
  it('a name of the longest kind is looked for', async () => {
    const name = `${`${'n'.repeat(62)}.`.repeat(4)}`.slice(0, -1);
    expect(problemOf(await api.ask('GET', `/api/v1/nodes/${name}`)).code).toBe('not-found');
    expect(problemOf(await api.ask('GET', `/api/v1/resources/Site/${name}`)).code).toBe('not-found');
  });
  it('fields that do not fit, all at once and with their paths', async () => {
    const answer = await api.ask('POST', '/api/v1/tokens', { name: 'A B', role: 'root', more: 1 });
    expect(
      problemOf(answer)
        .problems?.map(({ path }) => path)
        .sort(),
    ).toEqual(['more', 'name', 'role']);
    const query = await api.ask('GET', '/api/v1/journal?limit=0&colour=red');
    expect(
      problemOf(query)
        .problems?.map(({ path }) => path)
        .sort(),
    ).toEqual(['colour', 'limit']);
    expect(problemOf(await api.ask('GET', '/api/v1/resources/Sight')).problems?.[0]?.path).toBe('kind');
  });
  it('a failure inside, without what failed, but with the id under which the log has it', async () => {
    const answer = await api.ask('GET', '/api/v1/nodes/n1/plan');
    const problem = problemOf(answer);
    expect(problem).toMatchObject({ status: 500, code: 'internal' });
    expect(answer.body).not.toContain('secret of the broker');
    expect(problem.detail).toContain(String(answer.headers['x-request-id']));
  });
});

describe('[2.8] open endpoints', () => {
  it('nothing is cached and nothing is framed', async () => {
    const { headers } = await api.ask('GET', '/healthz');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
  });
  it('readyz says 503 while the manager is held; what is read stays readable, and what is written is refused', async () => {
    expect((await api.ask('GET', '/readyz')).json()).toEqual({ ok: true });
    await api.store.hold('a test holds it');
    const ready = await api.app.inject({ method: 'GET', url: '/readyz' });
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toEqual({ ok: false, reason: 'a test holds it' });
    expect((await api.ask('GET', '/healthz')).statusCode).toBe(200);
    expect((await api.ask('GET', '/api/v1/nodes')).statusCode).toBe(200);
    const write = await api.ask('POST', '/api/v1/nodes/n1/drain', {});
    expect(problemOf(write)).toMatchObject({ status: 503, code: 'manager-held' });
    expect((await api.ask('POST', '/api/v1/resume', {})).json()).toMatchObject({ mode: 'serving' });
    expect((await api.ask('POST', '/api/v1/nodes/n1/drain')).statusCode).toBe(200);
  });
  it('metrics tell revision, writes, nodes and how long answers took', async () => {
    const { body } = await api.ask('GET', '/metrics');
    expect(body).toContain(`evenkeel_store_revision ${api.store.meta().revision}`);
    expect(body).toMatch(/evenkeel_journal_entries_total\{kind="Node",op="put"\} 2/);
    expect(body).toMatch(/evenkeel_nodes\{state="pending"\} 1/);
    expect(body).toMatch(/evenkeel_request_duration_seconds_count\{endpoint="drain",status="200"\} 1/);
  });
});
