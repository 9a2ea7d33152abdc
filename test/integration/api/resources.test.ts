/** Resources one by one: revisions as ETags, conditions, patches and pages. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StoredResource } from '../../../protocol/views.ts';
import { declare, site, startTestApi, type TestApi } from '../../support/api.ts';
import { pathsOf, problemOf } from '../../support/problem.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const path = (name: string) => `/api/v1/resources/Site/${name}`;
const spec = (maxBody: string) => ({ spec: { root: '/srv/www', maxBody } });

it('[2.8] the ETag of a resource is its revision, and If-Match judges it', async () => {
  const created = await api.ask('PUT', path('a.example'), spec('1m'), { 'if-none-match': '*' });
  expect(created.statusCode, created.body).toBe(201);
  const { etag = '' } = created.headers as Record<string, string>;
  expect(etag).toBe(`"${created.json<StoredResource>().revision}"`);
  expect((await api.ask('GET', path('a.example'))).headers.etag).toBe(etag);

  const changed = await api.ask('PUT', path('a.example'), spec('2m'), { 'if-match': etag });
  expect(changed.statusCode).toBe(200);
  const stale = await api.ask('PUT', path('a.example'), spec('3m'), { 'if-match': etag });
  expect(problemOf(stale)).toMatchObject({ status: 412, code: 'stale-revision' });
  const twice = await api.ask('PUT', path('a.example'), spec('4m'), { 'if-none-match': '*' });
  expect(problemOf(twice).code).toBe('stale-revision');
  const nothing = await api.ask('PUT', path('none.example'), spec('5m'), { 'if-match': '*' });
  expect(problemOf(nothing).code).toBe('stale-revision');
  const gone = await api.ask('DELETE', path('a.example'), undefined, { 'if-match': etag });
  expect(problemOf(gone).code).toBe('stale-revision');
  expect((await api.store.get('Site', 'a.example'))?.spec.maxBody).toBe('2m');
  expect(problemOf(await api.ask('PUT', path('a.example'), spec('6m'), { 'if-match': 'x' })).code).toBe(
    'bad-request',
  );
});

it('[2.3] of many writers that hold the same ETag exactly one wins', async () => {
  await declare(api.store, [site('race.example')]);
  const { etag = '' } = (await api.ask('GET', path('race.example'))).headers as Record<string, string>;
  const sizes = Array.from({ length: 20 }, (_, at) => `${at + 100}m`);
  const answers = await Promise.all(
    sizes.map((size) => api.ask('PUT', path('race.example'), spec(size), { 'if-match': etag })),
  );
  expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(1);
  expect(answers.filter(({ statusCode }) => statusCode === 412)).toHaveLength(19);
});

it('[2.8] patches without a condition are all kept, also when they meet', async () => {
  await declare(api.store, [site('patch.example')]);
  const patches = [{ maxBody: '9m' }, { accessLog: 'own' }, { php: { socket: '/run/php.sock' } }];
  const answers = await Promise.all(
    patches.map((patch) => api.ask('PATCH', path('patch.example'), { spec: patch })),
  );
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
  expect((await api.store.get('Site', 'patch.example'))?.spec).toMatchObject(Object.assign({}, ...patches));
  await api.ask('PATCH', path('patch.example'), { spec: { php: null } });
  expect((await api.store.get('Site', 'patch.example'))?.spec).not.toHaveProperty('php');
  const bad = await api.ask('PATCH', path('patch.example'), { spec: { aliases: ['a b'] } });
  expect(pathsOf(bad)).toEqual(['spec/aliases/0']);
  expect(problemOf(await api.ask('PATCH', path('none.example'), { spec: {} })).code).toBe('not-found');
});

it('[2.8] a list comes in pages, each once, and a name may have slashes', async () => {
  const names = Array.from({ length: 25 }, (_, at) => `page-${String(at).padStart(2, '0')}.example`);
  await declare(
    api.store,
    names.map((name) => site(name)),
  );
  const seen: string[] = [];
  for (let after: string | null | undefined = 'page'; after?.startsWith('page'); ) {
    const page = await api.ask('GET', `/api/v1/resources/Site?limit=10&after=${after}`);
    const { items, next } = page.json<{ items: StoredResource[]; next: string | null }>();
    seen.push(...items.map(({ name }) => name).filter((name) => name.startsWith('page')));
    after = next;
  }
  expect(seen).toEqual(names);
  const template = await api.ask('GET', '/api/v1/resources/Template/vhost/nginx.conf.hbs');
  expect(template.json()).toMatchObject({ kind: 'Template', name: 'vhost/nginx.conf.hbs' });
  const encoded = await api.ask(
    'GET',
    `/api/v1/resources/Template/${encodeURIComponent('vhost/nginx.conf.hbs')}`,
  );
  expect(encoded.statusCode).toBe(200);
  expect(problemOf(await api.ask('GET', path('none.example'))).code).toBe('not-found');
});
