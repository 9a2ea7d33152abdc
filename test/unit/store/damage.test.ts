/** Damage: what is wrong with a database is found when it is opened or verified, and then it is only read. */
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { basics, puts, site } from './declared.ts';
import { folder, opened, refusal, tamper } from './opened.ts';

async function filled(sites = 3): Promise<string> {
  const { store, file } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  for (let n = 0; n < sites; n += 1)
    await store.write({ actor: 'test', edits: puts(site(`s${n}.example.org`)) });
  await store.close();
  return file;
}

it('[2 bad input] a missing store is opened held, and is not made by accident', async () => {
  const file = join(await folder(), 'store.sqlite');
  const { store } = await opened({ file });
  expect(store.meta()).toMatchObject({ mode: 'held', damaged: true });
  expect(store.meta().reason).toMatch(/no store at/);
  expect((await refusal(store.write({ actor: 'test', edits: puts(...basics()) }))).code).toBe(
    'store-damaged',
  );
  expect(store.tokens.list()).toEqual([]);
  await expect(stat(file)).rejects.toThrow();
});

it('[2.3] a database that a newer version has written is opened held, and left as it is', async () => {
  const file = await filled();
  await tamper(file, 'PRAGMA user_version = 1000');
  const before = await readFile(file);
  const { store } = await opened({ file });
  expect(store.meta()).toMatchObject({ mode: 'held', damaged: true });
  expect(store.meta().reason).toMatch(/schema 1000/);
  await store.close();
  expect(Buffer.compare(await readFile(file), before)).toBe(0);
});

const damages: Record<string, { sql: string; says: RegExp }> = {
  'a header that was rewritten': {
    sql: `UPDATE journal SET actor = 'other' WHERE rev = 6`,
    says: /entry 6.*chain/,
  },
  'an entry that was taken out': { sql: 'DELETE FROM journal WHERE rev = 6', says: /entry 7/ },
  'a body that was changed': { sql: `UPDATE journal SET body = '{}' WHERE rev = 6`, says: /entry 6.*digest/ },
  'a scope that does not add up': {
    sql: `UPDATE scopes SET digest = '${'0'.repeat(64)}' WHERE scope = 'role/web'`,
    says: /role\/web/,
  },
  'a resource that no scope knows of': {
    sql: `INSERT INTO resources SELECT kind, 'planted.example.org', rev, digest, body FROM resources WHERE kind = 'Site' LIMIT 1`,
    says: /role\/web/,
  },
  'a store of no cluster': { sql: `DELETE FROM meta WHERE key = 'cluster'`, says: /cluster/ },
};

for (const [title, { sql, says }] of Object.entries(damages))
  it(`[2 bad input] ${title} opens the store read-only, held, with the reason`, async () => {
    const file = await filled();
    await tamper(file, sql);
    const { store } = await opened({ file });
    expect(store.meta()).toMatchObject({ mode: 'held', damaged: true });
    expect(store.meta().reason).toMatch(says);
    expect((await refusal(store.write({ actor: 'test', edits: puts(site('new.example.org')) }))).code).toBe(
      'store-damaged',
    );
    expect((await refusal(store.resume({ actor: 'test', seenEpoch: 9, allowShrink: true }))).code).toBe(
      'store-damaged',
    );
    expect(await store.get('Site', 's0.example.org')).toBeDefined();
  });

it('[2 bad input] a file that is empty, or no database at all, is opened held and nothing is written to it', async () => {
  const folderPath = await folder();
  for (const [name, bytes] of [
    ['empty', ''],
    ['garbage', 'no database '.repeat(1000)],
  ] as const) {
    const file = join(folderPath, name);
    await writeFile(file, bytes);
    const { store } = await opened({ file });
    expect(store.meta()).toMatchObject({ mode: 'held', damaged: true });
    expect(store.heads()).toEqual([]);
    expect((await stat(file)).size).toBe(bytes.length);
  }
});

it('[2 bad input] a database cut short is opened held', async () => {
  const file = await filled(200);
  const { size } = await stat(file);
  await truncate(file, Math.floor(size / 2));
  const { store } = await opened({ file });
  expect(store.meta()).toMatchObject({ mode: 'held', damaged: true });
});

it('[2 bad input] a store of another cluster is opened held', async () => {
  const { store } = await opened({ file: await filled(), cluster: 'another' });
  expect(store.meta()).toMatchObject({ mode: 'held', damaged: true });
});

it('[2.3] verify finds what was changed anywhere, and counts what it read', async () => {
  const { store, file } = await opened();
  await store.write({
    actor: 'test',
    edits: puts(...basics(), site('a.example.org'), site('b.example.org')),
  });
  expect(await store.verify()).toEqual({ ok: true, entries: 7, bodies: 7, scopes: 3, problems: [] });
  await tamper(
    file,
    `UPDATE journal SET name = 'z.example.org' WHERE rev = 2;
     UPDATE resources SET body = '{"root":"/etc"}' WHERE name = 'a.example.org';
     DELETE FROM scope_log WHERE name = 'b.example.org'`,
  );
  const { ok, problems } = await store.verify();
  expect(ok).toBe(false);
  expect(problems).toEqual([
    expect.stringContaining('journal entry 2'),
    'Site/a.example.org: its body does not fit its digest',
    expect.stringContaining('is not what the journal says of it last'),
    expect.stringContaining('is not what the journal says of it last'),
    expect.stringContaining('scope role/web: holds 3 resources, its head says 4'),
  ]);
});
