/** Bad input at the API: refused with a code and the path of the field, and nothing has changed. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { declare, node, site, startTestApi, type TestApi } from '../../support/api.ts';
import { pathsOf, problemOf } from '../../support/problem.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await declare(api.store, [
    node('n1', ['web'], '127.0.0.11'),
    site('known.example', { aliases: ['www.known.example'] }),
  ]);
});
afterAll(() => api.stop());

const apply = (documents: unknown[], more: object = {}) =>
  api.ask('POST', '/api/v1/apply', { documents, ...more });

/** A template that needs what no site has, and a policy that renders it for each. */
const template = (name: string, text: string) => ({
  kind: 'Template',
  name,
  spec: { syntax: 'plain', text },
});
const policy = (name: string, role: string, file: object) => ({
  kind: 'Policy',
  name,
  spec: { role, inputs: { sites: { kind: 'Site' } }, files: [file] },
});

interface Case {
  what: string;
  documents: unknown[];
  code: string;
  paths: string[];
}

const vs = (pool: object) => ({
  kind: 'VirtualService',
  name: 'web',
  spec: { vip: '127.0.0.1', ports: [80], pool: { role: 'web', check: 'http', ...pool } },
});

const cases: Case[] = [
  {
    what: 'names that would break out of a template',
    documents: [site('good.example'), site('a;b.example'), site('c.example\n}'), site('{{d}}.example')],
    code: 'invalid-document',
    paths: ['documents/1/name', 'documents/2/name', 'documents/3/name'],
  },
  {
    what: 'paths that leave their place or break out of a template',
    documents: [site('a.example', { root: '/srv/../etc' }), site('b.example', { root: '/srv/x; }' })],
    code: 'invalid-document',
    paths: ['documents/0/spec/root', 'documents/1/spec/root'],
  },
  {
    what: 'numbers and sizes that are none',
    documents: [
      site('a.example', { maxBody: '32m; }' }),
      site('b.example', { redirects: [{ from: '/', to: '/x', code: 418 }] }),
    ],
    code: 'invalid-document',
    paths: ['documents/0/spec/maxBody', 'documents/1/spec/redirects/0/code'],
  },
  {
    what: 'an unknown field',
    documents: [site('a.example', { colour: 'red' })],
    code: 'invalid-document',
    paths: ['documents/0/spec/colour'],
  },
  {
    what: 'an unknown kind, and what is no document',
    documents: [{ kind: 'Sight', name: 'x', spec: {} }, 'text'],
    code: 'unknown-kind',
    paths: ['documents/0/kind', 'documents/1'],
  },
  {
    what: 'one resource twice in a request',
    documents: [site('a.example'), site('b.example'), site('a.example')],
    code: 'duplicate-document',
    paths: ['documents/2'],
  },
  {
    what: 'a domain that another site has',
    documents: [site('a.example', { aliases: ['b.example', 'www.known.example'] })],
    code: 'duplicate-domain',
    paths: ['documents/0/spec/aliases/1'],
  },
  {
    what: 'a reference to a check that no policy has',
    documents: [vs({ check: 'nosuch' })],
    code: 'dangling-reference',
    paths: ['documents/0/spec/pool/check'],
  },
  {
    what: 'a policy whose template does not exist',
    documents: [policy('p', 'web', { template: 'no/such.hbs', path: 'p.conf' })],
    code: 'dangling-reference',
    paths: ['documents/0/spec/files/0/template'],
  },
  {
    what: 'a template that does not compile',
    documents: [template('x.hbs', '{{#each')],
    code: 'render-failed',
    paths: ['documents/0/spec/text'],
  },
];

it.each(cases)('[2 bad input] $what: refused as $code at $paths, and the store is unchanged', async (one) => {
  const before = api.store.meta().revision;
  const answer = await apply(one.documents);
  expect(problemOf(answer).code, answer.body).toBe(one.code);
  expect(pathsOf(answer)).toEqual(one.paths);
  expect(api.store.meta().revision).toBe(before);
  expect(api.store.total('Site')).toBe(1);
});

it('[2 bad input] what an invite may not say is refused with the field, its value and the fix', async () => {
  const answer = await api.ask('POST', '/api/v1/invites', {
    ...{ roles: ['web', 'Web;'], name: 'A B', hours: 100_000 },
    parameters: { 'a;b': 1, text: 'a"; }', list: [] },
  });
  expect(problemOf(answer).code).toBe('bad-request');
  expect(pathsOf(answer).sort()).toEqual(
    ['hours', 'name', 'parameters/a;b', 'parameters/list', 'parameters/text', 'roles/1'].sort(),
  );
  const problems = problemOf(answer).problems ?? [];
  for (const { path, value, fix } of problems) expect([value, fix], path).not.toContain(undefined);
});

it('[2 bad input] two policies that write one fixed place on a node are refused', async () => {
  const link = (name: string) =>
    policy(name, 'web', { template: 'x.hbs', path: `${name}.conf`, link: '/etc/x.conf' });
  const before = api.store.meta().revision;
  const answer = await apply([template('x.hbs', 'x'), link('p1'), link('p2')]);
  expect(problemOf(answer).code).toBe('path-conflict');
  expect(api.store.meta().revision).toBe(before);
});

it('[2 bad input] a template that throws for a new site is refused at the site, and others of the same kind are named too', async () => {
  const made = await apply([
    template('needs-php.hbs', '{{spec.php.socket}}\n'),
    { ...policy('needs-php', 'php', { template: 'needs-php.hbs', path: '{{name}}.conf', for: 'sites' }) },
  ]);
  expect(made.statusCode, made.body).toBe(200);
  const joined = await apply([node('n9', ['php'], '127.0.0.19')]);
  expect(problemOf(joined).code, 'a node whose unit cannot be rendered').toBe('render-failed');

  await api.ask('PATCH', '/api/v1/resources/Site/known.example', {
    spec: { php: { socket: '/run/php.sock' } },
  });
  expect((await apply([node('n9', ['php'], '127.0.0.19')])).statusCode).toBe(200);
  const before = api.store.meta().revision;
  const answer = await apply([
    site('with.example', { php: { socket: '/run/a.sock' } }),
    site('without.example'),
    site('neither.example'),
  ]);
  expect(problemOf(answer).code, answer.body).toBe('render-failed');
  expect(pathsOf(answer).sort()).toEqual(['documents/1', 'documents/2']);
  expect(problemOf(answer).detail).toMatch(/needs-php on n9.*template needs-php.hbs line 1/);
  expect(api.store.meta().revision).toBe(before);

  const put = await api.ask('PUT', '/api/v1/resources/Site/without.example', { spec: { root: '/srv/x' } });
  expect(problemOf(put).code).toBe('render-failed');
  expect((await apply([site('with.example', { php: { socket: '/run/a.sock' } })])).statusCode).toBe(200);
});

it('[2 bad input] a template that throws for sites that are there already is refused at the template', async () => {
  const before = api.store.meta().revision;
  const answer = await apply([template('needs-php.hbs', '{{spec.tls.certificate}}\n')]);
  expect(problemOf(answer).code).toBe('render-failed');
  expect(new Set(pathsOf(answer))).toEqual(new Set(['documents/0']));
  expect(api.store.meta().revision).toBe(before);
});

it('[2 bad input] a removal of more than a fifth of a kind is refused unless forced, and says what it counted', async () => {
  const many = Array.from({ length: 30 }, (_, at) =>
    site(`many-${at}.example`, { php: { socket: '/run/a.sock' } }),
  );
  expect((await apply(many)).statusCode).toBe(200);
  const before = api.store.total('Site');
  const answer = await apply(many.slice(0, 10), { prune: ['Site'] });
  expect(problemOf(answer).code).toBe('too-many-removals');
  expect(problemOf(answer).detail).toMatch(/remove 22 of 32/);
  expect(api.store.total('Site')).toBe(before);
  const forced = await apply(many.slice(0, 10), { prune: ['Site'], force: true });
  expect(forced.json()).toMatchObject({ deleted: 22, unchanged: 10 });
  expect(api.store.total('Site')).toBe(10);
});
