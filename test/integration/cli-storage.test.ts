/** `evenkeel storage` against a manager's API with a real store; nodes and mover do at once what is declared. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeOf } from '../../cli/commands/storage.ts';
import { exits } from '../../cli/exit-codes.ts';
import { movingText } from '../../cli/storage-look.ts';
import { sizeText } from '../../common/units.ts';
import type { StorageReport } from '../../protocol/messages.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { runCli } from '../support/sandbox.ts';

const from = { server: '10.0.0.1', export: '/srv/home' };

let api: TestApi;
let caFile: string;
/** What the mover says of each phase. */
let outcome: Partial<StorageReport>;

beforeAll(async () => {
  outcome = { pass: 1, seconds: 1, identical: true };
  api = await startTestApi({
    said: () => {
      const { epoch, revision: rev } = api.store.meta();
      const well = { result: 'unchanged' as const, scopes: { 'role/web': { epoch, rev } } };
      const units = new Map([...api.store.view().Policy.keys()].map((name) => [name, well]));
      return { fresh: true, units, checks: new Map(), storages: new Map([['home', report()]]) };
    },
  });
  caFile = join(api.folder, 'ca.crt');
  writeFileSync(caFile, api.pki.bundle());
  const client = {
    ...{ role: 'web', inputs: { storages: { kind: 'Storage' } } },
    files: [{ template: 'mounts.txt', path: 'mounts.txt' }],
  };
  await declare(api.store, [
    { kind: 'Template', name: 'mounts.txt', spec: { syntax: 'plain', text: 'x' } },
    { kind: 'Policy', name: 'mounts', spec: client },
    node('n1', ['web'], '127.0.0.11'),
    { kind: 'Storage', name: 'home', spec: { ...from, mountpoint: '/home' } },
  ]);
});
afterAll(() => api.stop());

const report = (): StorageReport => {
  const { id = '', phase = 'copy' } = api.store.view().Storage.get('home')?.spec.move ?? {};
  return {
    ...{
      type: 'storage',
      id: 'r',
      session: 's',
      at: '2026-01-01T00:00:00Z',
      storage: 'home',
      move: id,
      phase,
    },
    ...{ pass: 0, seconds: 0, files: 12, bytes: 2048, left: 3 },
    ...outcome,
  };
};
const cli = (...args: string[]) =>
  runCli(['--api', api.url, '--ca', caFile, '--token', api.tokens.operator, 'storage', ...args]);
const place = () => {
  const { server, export: path } = api.store.view().Storage.get('home')?.spec ?? {};
  return `${server}:${path}`;
};

describe('[3.7] evenkeel storage', () => {
  it('move --wait ends with 0 at the new server, and says for how long nobody could write', async () => {
    const ran = await cli('move', 'home', '--to', '10.0.0.40:/vol/home', '--by', 'n1', '--wait');
    expect(ran).toMatchObject({ code: exits.ok.code });
    expect(ran.stdout).toMatch(/has moved to 10\.0\.0\.40:\/vol\/home; for \d+ s nobody could write/);
    expect(place()).toBe('10.0.0.40:/vol/home');
  });

  it('move --wait ends with 8 where it was taken back, with the reason, and nothing is switched', async () => {
    outcome = { error: { code: 'copy-failed', message: 'No space left on device' } };
    const before = place();
    const ran = await cli('move', 'home', '--to', '10.0.0.41:/vol/home', '--by', 'n1', '--wait');
    expect(ran.code).toBe(exits.unfinished.code);
    expect(ran.stdout).toContain('No space left on device');
    expect(place()).toBe(before);
  });

  it('show tells how far it is, list in one line, and cancel takes it back', async () => {
    outcome = {};
    expect(await cli('move', 'home', '--to', '10.0.0.42:/vol/home', '--by', 'n1')).toMatchObject({ code: 0 });
    const shown = await cli('show', 'home');
    expect(shown.stdout).toContain('copy, pass 1, 12 files and 2.0 KiB, 3 to look at, n1 copies');
    expect(shown.stdout).toMatch(/n1\s+ready/);
    expect((await cli('list')).stdout).toMatch(/home .*10\.0\.0\.40:\/vol\/home.*1 of 1.*copy/);
    const cancelled = await cli('cancel', 'home');
    expect(cancelled.stdout).toContain('stays at 10.0.0.40:/vol/home');
    expect((await cli('cancel', 'home')).code).toBe(exits.refused.code);
  });

  it('refuses what cannot work with 3, what is no place with 2, and a storage that is not there with 4', async () => {
    const by = ['--by', 'n1'];
    expect((await cli('move', 'home', '--to', '10.0.0.40:/vol/home', ...by)).code).toBe(exits.refused.code);
    expect((await cli('move', 'home', '--to', 'nowhere', ...by)).code).toBe(exits.usage.code);
    expect((await cli('show', 'nothing')).code).toBe(exits.notFound.code);
  });
});

describe('[3.7] a place on the command line', () => {
  it('is an address or a node of this cluster, and its export', () => {
    expect(placeOf('10.0.0.40:/vol/home')).toEqual({ server: '10.0.0.40', export: '/vol/home' });
    expect(placeOf('node:files1:/srv')).toEqual({ server: { node: 'files1' }, export: '/srv' });
    for (const text of ['10.0.0.40', 'node:/srv', ':/srv', '10.0.0.40:vol'])
      expect(() => placeOf(text)).toThrow();
  });

  it('and sizes and a storage at rest are said plainly', () => {
    expect([0, 1023, 2048, 5 * 1024 ** 4].map(sizeText)).toEqual(['0 B', '1023 B', '2.0 KiB', '5.0 TiB']);
    expect(movingText({})).toBe('');
  });
});
