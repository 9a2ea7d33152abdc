/** An operator's words about nodes, and what nodes are asked. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AnswerOf } from '../../../protocol/endpoints.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { declare, node, site, startTestApi, type TestApi } from '../../support/api.ts';
import { problemOf } from '../../support/problem.ts';

let api: TestApi;
const plan = { unit: 'web-nginx', result: 'unchanged' as const, drift: false, held: [], diffs: [] };
beforeAll(async () => {
  api = await startTestApi({
    seen: (view) => ({ ...view, online: view.name !== 'n2' }),
    ask: async (name, what) => {
      if (name === 'n3')
        throw new EvenkeelError('node-unreachable', 'the node n3 did not answer within 20 s');
      return { id: '1', what, units: [plan] };
    },
  });
  const names = ['n1', 'n2', 'n3'];
  await declare(api.store, [
    ...names.map((name, at) => node(name, ['web'], `127.0.0.1${at}`)),
    site('a.example'),
  ]);
});
afterAll(() => api.stop());

const post = (path: string, body?: object) =>
  api.ask('POST', `/api/v1/nodes/${path}`, body, { authorization: `Bearer ${api.tokens.operator}` });
const specOf = async (name: string) => (await api.store.get('Node', name))?.spec;

it('[2.8] each verb writes the word of the operator, with reason, owner and end, into the journal', async () => {
  const deadline = '2030-01-01T00:00:00Z';
  expect((await post('n1/drain', { reason: 'kernel', deadline })).json()).toMatchObject({
    drain: 'kernel (operator)',
  });
  expect(await specOf('n1')).toMatchObject({ drain: { reason: 'kernel', owner: 'operator', deadline } });
  await post('n1/maintenance', { reason: 'disk', deadline });
  expect(await specOf('n1')).toMatchObject({
    maintenance: { reason: 'disk', owner: 'operator', until: deadline },
  });
  await post('n1/undrain');
  expect(await specOf('n1')).not.toHaveProperty('drain');
  expect(await specOf('n1')).not.toHaveProperty('maintenance');
  await post('n1/hold');
  expect(await specOf('n1')).toMatchObject({ hold: { reason: '', owner: 'operator' } });
  await post('n1/release');
  expect(await specOf('n1')).not.toHaveProperty('hold');
  const entries = (await api.store.journal({ limit: 5 })).map(({ actor, name }) => `${actor} ${name}`);
  expect(new Set(entries)).toEqual(new Set(['token:operator n1']));
  expect(problemOf(await post('nobody/drain')).code).toBe('not-found');
  expect(problemOf(await post('n1/drain', { reason: 'two\nlines' })).problems?.[0]?.path).toBe('reason');
});

it('[2.5] a plan is asked of the node itself; one that is away or silent is said to be so', async () => {
  const ask = (name: string) => api.ask('GET', `/api/v1/nodes/${name}/plan`);
  expect((await ask('n1')).json()).toEqual({ node: 'n1', units: [plan] });
  const away = problemOf(await ask('n2'));
  expect(away).toMatchObject({ status: 503, code: 'node-unreachable' });
  expect(away.detail).toMatch(/n2 is not connected/);
  expect(problemOf(await ask('n3')).code).toBe('node-unreachable');
  expect(problemOf(await ask('n4')).code).toBe('not-found');
  expect((await post('n1/retry')).json()).toEqual({ asked: true });
});

it('[2.8] a render shows every file of the node from the journal', async () => {
  const answer = await api.ask('GET', '/api/v1/nodes/n1/render');
  const { units } = answer.json<AnswerOf<'render'>>();
  expect(units.map(({ unit }) => unit)).toEqual(['storage-nfs-client', 'web-nginx']);
  const web = units.find(({ unit }) => unit === 'web-nginx');
  const text = web?.files.map((file) => file.text).join('');
  expect(text).toContain('server_name a.example');
  expect(text).toContain(`return 200 ${web?.digest}`);
});

it('[2.8] a node is removed dead or alive, by admins only', async () => {
  const refused = await api.ask('DELETE', '/api/v1/nodes/n2', undefined, {
    authorization: `Bearer ${api.tokens.operator}`,
  });
  expect(problemOf(refused).code).toBe('forbidden');
  expect((await api.ask('DELETE', '/api/v1/nodes/n2')).statusCode).toBe(200);
  expect(await specOf('n2')).toBeUndefined();
  expect(problemOf(await api.ask('DELETE', '/api/v1/nodes/n2')).code).toBe('not-found');
});

it('[3.7] a node that others hang on is removed by force alone, dead or alive, and either answer says what hangs on it', async () => {
  const spec = { server: { node: 'nas' }, export: '/data/home', mountpoint: '/home' };
  await declare(api.store, [
    node('nas', ['storage'], '127.0.0.140'),
    { kind: 'Storage', name: 'home', spec },
  ]);
  const hangs = 'n1, n3 mount Storage/home at /home from 127.0.0.140:/data/home';
  const refused = problemOf(await api.ask('DELETE', '/api/v1/nodes/nas'));
  expect(refused.problems).toMatchObject([
    { code: 'storage-elsewhere', message: expect.stringContaining(hangs) },
  ]);
  expect(await specOf('nas')).toBeDefined();
  const forced = await api.ask('DELETE', '/api/v1/nodes/nas?force=true');
  expect(forced.statusCode).toBe(200);
  expect(decodeURIComponent(String(forced.headers['x-evenkeel-warnings']))).toContain(hangs);
  expect(await specOf('nas')).toBeUndefined();
});

it('[3.7] what a file server would refuse is refused at the door: more lines than a node takes', async () => {
  await declare(api.store, [node('f1', ['storage'], '127.0.0.141'), node('f2', ['storage'], '127.0.0.142')]);
  const quotas = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`u${at}`, { soft: '1g', hard: '2g' }]));
  const asked = (count: number) => {
    const server = { node: 'f2' };
    const spec = { server, export: '/data/mail', mountpoint: '/srv/mail', quotas: quotas(count) };
    return api.ask('PUT', '/api/v1/resources/Storage/mail', { spec });
  };
  const [problem] = problemOf(await asked(5000)).problems ?? [];
  expect(problem?.message).toMatch(/^storage-nfs-server on f2: its kernel file would have 50[0-9]{2} lines/);
  const { statusCode } = await asked(4000);
  expect(statusCode).toBe(201);
});

it('[2.6] what the guards refuse is carried out by force, by each way to write', async () => {
  const of = (server: unknown) => ({ server, export: '/data/more', mountpoint: '/chroot/more' });
  await declare(api.store, [
    node('old', ['storage'], '127.0.0.143'),
    { kind: 'Storage', name: 'more', spec: of({ node: 'old' }) },
  ]);
  const path = '/api/v1/resources/Storage/more';
  for (const method of ['PUT', 'PATCH'] as const) {
    const refused = await api.ask(method, path, { spec: of('127.0.0.144') });
    expect([refused.statusCode, refused.body]).toEqual([409, expect.stringContaining('?force=true')]);
  }
  expect((await api.ask('PATCH', `${path}?force=true`, { spec: of('127.0.0.144') })).statusCode).toBe(200);
  expect((await api.ask('PUT', `${path}?force=true`, { spec: of('127.0.0.145') })).statusCode).toBe(200);
});
