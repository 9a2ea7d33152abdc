/** Apply: many documents at once, or what would become of them, in JSON and in YAML. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplyAnswer } from '../../../protocol/views.ts';
import { declare, node, site, startTestApi, type TestApi } from '../../support/api.ts';
import { pathsOf, problemOf } from '../../support/problem.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await declare(api.store, [
    node('n1', ['web'], '127.0.0.11'),
    node('n2', ['web'], '127.0.0.12'),
    node('n3', ['web'], '127.0.0.13', { parameters: { httpPort: 8080 } }),
    node('lb', ['balancer'], '127.0.0.1'),
  ]);
});
afterAll(() => api.stop());

const applied = async (body: unknown, query = ''): Promise<ApplyAnswer> => {
  const answer = await api.ask('POST', `/api/v1/apply${query}`, body);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<ApplyAnswer>();
};

describe('[2.8] apply', () => {
  it('says what it did with each document, and the journal names who did it', async () => {
    const documents = [site('a.example'), site('b.example')];
    expect(await applied({ documents })).toMatchObject({
      created: 2,
      updated: 0,
      unchanged: 0,
      dryRun: false,
    });
    const again = await applied({ documents: [site('a.example', { maxBody: '64m' }), site('b.example')] });
    expect(again).toMatchObject({ created: 0, updated: 1, unchanged: 1 });
    expect(again.changes).toEqual([{ kind: 'Site', name: 'a.example', op: 'update', diff: '' }]);
    const [last] = (await api.store.journal({ limit: 1 })).slice(-1);
    expect(last).toMatchObject({ actor: 'token:admin', kind: 'Site', name: 'a.example', op: 'put' });
  });

  it('takes YAML of many documents, with its choices in the query', async () => {
    const yaml =
      'kind: Site\nname: y.example\nspec: {root: /srv/y}\n---\nkind: Site\nname: z.example\nspec: {root: /srv/z}\n';
    expect(await applied(yaml, '?dryRun=true')).toMatchObject({ dryRun: true, created: 2 });
    expect(api.store.view().Site.has('y.example')).toBe(false);
    expect(await applied(yaml)).toMatchObject({ dryRun: false, created: 2 });
    const broken = await api.ask('POST', '/api/v1/apply', 'kind: Site\nname: [\n');
    expect(problemOf(broken).code).toBe('bad-request');
    const stranger = await api.ask('POST', '/api/v1/apply?prune=Policy', yaml);
    expect(problemOf(stranger).detail).toMatch(/Policy cannot be pruned/);
  });

  it('deletes only with prune, and only of the kinds that are named', async () => {
    await applied({ documents: [site('keep.example'), site('go.example')] });
    const others = [...api.store.view().Site.keys()].filter((name) => name !== 'go.example');
    const documents = await Promise.all(others.map((name) => api.store.get('Site', name)));
    const bare = documents.map((one) => ({ kind: one?.kind, name: one?.name, spec: one?.spec }));
    expect(await applied({ documents: bare })).toMatchObject({ deleted: 0 });
    expect(await applied({ documents: bare, prune: ['Site'] })).toMatchObject({ deleted: 1 });
    expect(api.store.view().Site.has('go.example')).toBe(false);
  });

  it('deletes single resources in the same change, all or nothing, and tells whom the journal names', async () => {
    const tcp = { ports: [{ port: 25, target: 25 }], protocol: 'tcp', vip: '127.0.0.90' };
    const pool = { role: 'web', check: 'http', probe: { type: 'tcp' } };
    await applied({
      documents: [
        node('m1', ['web'], '127.0.0.41'),
        { kind: 'VirtualService', name: 'smtp', spec: { ...tcp, pool } },
        site('doomed.example'),
      ],
    });
    const deletes = [
      { kind: 'Node', name: 'm1' },
      { kind: 'VirtualService', name: 'smtp' },
      { kind: 'Site', name: 'doomed.example' },
    ];
    const body = { documents: [site('new.example')], deletes };
    const before = api.store.meta().revision;
    const refused = problemOf(await api.ask('POST', '/api/v1/apply', body));
    const losses = refused.problems?.map(({ message }) => message) ?? [];
    expect(losses).toEqual([expect.stringContaining('would end virtual service smtp, which 4 nodes')]);
    const word = losses.map((loss) => loss.replace('4 nodes', '5 nodes'));
    expect(problemOf(await api.ask('POST', '/api/v1/apply', { ...body, losses: word })).code).toBe(
      'empty-pool',
    );
    const found = api.store.view().Node.get('m1')?.revision ?? 0;
    const stale = { 'Node/m1': found + 1, 'Site/new.example': 0 };
    const late = await api.ask('POST', '/api/v1/apply', { ...body, losses, revisions: stale });
    expect(problemOf(late)).toMatchObject({ code: 'stale-revision', problems: [{ path: 'deletes/0' }] });
    const operator = { authorization: `Bearer ${api.tokens.operator}` };
    const denied = await api.ask('POST', '/api/v1/apply', { ...body, losses }, operator);
    expect(pathsOf(denied)).toEqual(['deletes/0']);
    expect(api.store.meta().revision).toBe(before);
    const dry = await applied({ ...body, losses, revisions: { 'Node/m1': found }, dryRun: true });
    expect(dry).toMatchObject({ created: 1, deleted: 3, actor: 'token:admin' });
    expect(api.store.meta().revision).toBe(before);
    const done = await applied({ ...body, losses, revisions: { 'Node/m1': found } });
    expect(done).toMatchObject({ created: 1, deleted: 3, actor: 'token:admin' });
    expect(api.store.view().Node.has('m1')).toBe(false);
    expect(api.store.view().VirtualService.has('smtp')).toBe(false);
    expect(problemOf(await api.ask('POST', '/api/v1/apply', body)).code).toBe('not-found');
  });

  it('leaves what a box or a verb has said of a node, where the document is silent about it', async () => {
    const identity = { key: 'ab'.repeat(32), joined: '2026-11-21T09:00:00Z' };
    await declare(api.store, [node('n4', ['web'], '127.0.0.14', { identity })]);
    expect((await api.ask('POST', '/api/v1/nodes/n4/drain', { reason: 'disk' })).statusCode).toBe(200);
    await applied({ documents: [node('n4', ['web'], '127.0.0.14', { weight: 50 })] });
    const spec = (await api.store.get('Node', 'n4'))?.spec;
    expect(spec).toMatchObject({ weight: 50, identity, drain: { reason: 'disk', owner: 'admin' } });
    // Who invites a node says its roles: a document for one more field does not take them away.
    const address6 = 'fd00::14';
    await applied({ documents: [{ kind: 'Node', name: 'n4', spec: { address: '127.0.0.14', address6 } }] });
    expect((await api.store.get('Node', 'n4'))?.spec).toMatchObject({ roles: ['web'], address6 });
  });
});

describe('[2.8] a dry run', () => {
  it('shows the diff of each resource and of the files on each kind of node, and changes nothing', async () => {
    const before = api.store.meta().revision;
    const documents = [site('a.example', { maxBody: '128m' }), site('dry.example')];
    const { changes, rendered, revision } = await applied({ documents, dryRun: true });
    expect(revision).toBe(before);
    expect(api.store.meta().revision).toBe(before);
    expect(changes.find(({ name }) => name === 'a.example')?.diff).toMatch(/-maxBody: 64m\n\+maxBody: 128m/);
    expect(rendered.map(({ node: name, alike }) => [name, ...alike])).toEqual([['n1', 'n2', 'n4'], ['n3']]);
    const files = rendered[0]?.units[0]?.files ?? [];
    expect(files.map(({ path }) => path)).toContain('nginx.conf');
    const added = files.find(({ diff }) => diff.includes('server_name dry.example'));
    expect(added?.change).toBe('added');
    expect(files.find(({ diff }) => diff.includes('client_max_body_size 128m'))?.change).toBe('modified');
  });

  it('shows nothing where nothing changes', async () => {
    const { changes, rendered, unchanged } = await applied({ documents: [site('b.example')], dryRun: true });
    expect({ changes, rendered, unchanged }).toEqual({ changes: [], rendered: [], unchanged: 1 });
  });

  it('shows what a parameter of one node changes, on that node alone', async () => {
    const documents = [node('n2', ['web'], '127.0.0.12', { parameters: { httpPort: 8081 } })];
    const { rendered } = await applied({ documents, dryRun: true });
    const web = rendered.filter(({ units }) => units.some(({ unit }) => unit === 'web-nginx'));
    expect(web.map(({ node: name, alike }) => [name, ...alike])).toEqual([['n2']]);
  });

  it('refuses what apply would refuse', async () => {
    const answer = await api.ask('POST', '/api/v1/apply', { documents: [site('a;b')], dryRun: true });
    expect(pathsOf(answer)).toEqual(['documents/0/name']);
  });
});

describe('[2.8] what only an admin may declare', () => {
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const byOperator = (documents: unknown[]) =>
    api.ask('POST', '/api/v1/apply', { documents }, as(api.tokens.operator));

  it.each([
    [
      'a policy',
      {
        kind: 'Policy',
        name: 'p',
        spec: { role: 'web', files: [{ template: 'lb/haproxy.cfg.hbs', path: 'x' }] },
      },
    ],
    ['a template', { kind: 'Template', name: 't.hbs', spec: { syntax: 'plain', text: 'x' } }],
    [
      'the Cluster',
      { kind: 'Cluster', name: 'cluster', spec: { address: '127.0.0.9', balancer: 'haproxy' } },
    ],
    ['a new node', node('n8', ['web'], '127.0.0.18')],
    ['the roles of a node', node('n1', ['web', 'balancer'], '127.0.0.11')],
    ['the address of a node', node('n1', ['web'], '127.0.0.99')],
    [
      'the identity of a node',
      node('n4', ['web'], '127.0.0.14', {
        identity: { key: '00'.repeat(32), joined: '2026-11-21T09:00:00Z' },
      }),
    ],
  ])('%s is refused to an operator, with its path', async (_, document) => {
    const before = api.store.meta().revision;
    const answer = await byOperator([site('o.example'), document]);
    expect(problemOf(answer).code, answer.body).toBe('forbidden');
    expect(pathsOf(answer)).toEqual(['documents/1']);
    expect(api.store.meta().revision).toBe(before);
  });

  it('an operator declares sites and says what is his to say of nodes, beside policies that stay as they are', async () => {
    const nginx = await api.store.get('Policy', 'web-nginx');
    const answer = await byOperator([
      site('o.example'),
      node('n1', ['web'], '127.0.0.11', { weight: 7 }),
      { kind: 'Policy', name: 'web-nginx', spec: nginx?.spec },
    ]);
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.json()).toMatchObject({ created: 1, updated: 1, unchanged: 1 });
  });
});
