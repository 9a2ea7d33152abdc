/** Storages over the API: begun and taken back by verbs, and by no document. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declare, node, startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
const from = { server: '10.0.0.1', export: '/srv/home' };
const to = { server: '10.0.0.40', export: '/vol/home' };
const home = (place: object) => ({ kind: 'Storage', name: 'home', spec: { mountpoint: '/home', ...place } });
const client = {
  ...{ kind: 'Policy', name: 'mounts' },
  spec: {
    ...{ role: 'web', inputs: { storages: { kind: 'Storage' } } },
    files: [{ template: 'mounts.txt', path: 'mounts.txt' }],
  },
};

beforeEach(async () => {
  api = await startTestApi({
    said: () => ({
      ...{ fresh: true, checks: new Map(), storages: new Map() },
      units: new Map([...api.store.view().Policy.keys()].map((name) => [name, wellAt(api.store.meta())])),
    }),
  });
  await declare(api.store, [
    { kind: 'Template', name: 'mounts.txt', spec: { syntax: 'plain', text: 'x' } },
    client,
    node('web1', ['web'], '10.0.0.11'),
    home(from),
  ]);
});
afterEach(() => api.stop());

const wellAt = ({ epoch, revision: rev }: { epoch: number; revision: number }) => ({
  result: 'unchanged' as const,
  scopes: { 'role/web': { epoch, rev } },
});
const begin = (body: object = { to, by: 'web1' }) => api.ask('POST', '/api/v1/storage/home/move', body);
const spec = () => api.store.view().Storage.get('home')?.spec;

describe('[3.7] a storage is moved by its verbs', () => {
  it('which begin, show and take back, and are for operators', async () => {
    const begun = await begin();
    expect(begun.statusCode).toBe(200);
    expect(begun.json()).toMatchObject({ name: 'home', move: { phase: 'copy', by: 'web1', from, to } });
    const shown = await api.ask('GET', '/api/v1/storage/home');
    expect(shown.json()).toMatchObject({ ...from, mounts: [{ node: 'web1', state: 'ready' }] });
    expect((await begin()).json()).toMatchObject({ code: 'storage-moving' });
    const cancelled = await api.ask('POST', '/api/v1/storage/home/cancel');
    expect(cancelled.json()).toEqual(expect.not.objectContaining({ move: expect.anything() }));
    const viewer = { authorization: `Bearer ${api.tokens.viewer}` };
    expect((await api.ask('POST', '/api/v1/storage/home/move', { to, by: 'web1' }, viewer)).statusCode).toBe(
      403,
    );
    expect((await api.ask('GET', '/api/v1/storage/nothing')).statusCode).toBe(404);
  });

  it('and by no document: one that says a move is refused, and one that says nothing of it leaves it', async () => {
    const move = { id: 'x', phase: 'switch', since: '2026-01-01T00:00:00Z', by: 'web1', from, to };
    const apply = (document: object) => api.ask('POST', '/api/v1/apply', { documents: [document] });
    const forged = await apply(home({ ...from, move }));
    expect(forged.json()).toMatchObject({
      code: 'storage-moving',
      problems: [{ path: 'documents/0/spec/move' }],
    });
    await begin();
    expect((await apply(home(from))).json()).toMatchObject({ unchanged: 1 });
    expect(spec()?.move?.phase).toBe('copy');
    expect((await apply(home(to))).json()).toMatchObject({ code: 'storage-moving' });
    const put = await api.ask('PUT', '/api/v1/resources/Storage/home', {
      spec: { mountpoint: '/home', ...from },
    });
    expect(put.statusCode).toBe(200);
    const patched = await api.ask('PATCH', '/api/v1/resources/Storage/home', { spec: { move: null } });
    expect(patched.json()).toMatchObject({ code: 'storage-moving' });
    expect(spec()?.move?.phase).toBe('copy');
  });
});
