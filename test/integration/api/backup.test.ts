/** Backups: taken while the manager serves, opened with the passphrase alone, and nothing of a damaged one is believed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../common/clock.ts';
import { createLog } from '../../../common/log.ts';
import { openBackup } from '../../../manager/backup.ts';
import { rules } from '../../../manager/desired/rules.ts';
import { openStore } from '../../../manager/store/open.ts';
import { declare, site, startTestApi, type TestApi } from '../../support/api.ts';
import { problemOf } from '../../support/problem.ts';

const passphrase = 'correct horse battery staple';
let api: TestApi;
let file: string;
beforeAll(async () => {
  api = await startTestApi();
  await declare(api.store, [site('kept.example')]);
  const answer = await api.ask('POST', '/api/v1/backup', { passphrase });
  expect(answer.statusCode).toBe(200);
  file = join(api.folder, 'evenkeel.backup');
  writeFileSync(file, answer.rawPayload);
});
afterAll(() => api.stop());

const into = (name: string) => join(api.folder, name);

it('[2.3] a backup holds the store and every key, byte by byte, and nothing of it can be read without the passphrase', async () => {
  const { store, pki } = await openBackup({ file, passphrase, folder: into('opened') });
  const names = (await readdir(api.keys, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  expect(names.length).toBeGreaterThan(1);
  for (const entry of names) {
    const path = join(entry.parentPath, entry.name);
    expect(readFileSync(join(pki, path.slice(api.keys.length))), path).toEqual(readFileSync(path));
  }
  const log = createLog('test', 'silent');
  const copy = await openStore({ file: store, rules, clock: systemClock, log });
  expect(await copy.verify()).toMatchObject({ ok: true, problems: [] });
  expect(await copy.get('Site', 'kept.example')).toEqual(await api.store.get('Site', 'kept.example'));
  await copy.close();
  const sealed = readFileSync(file);
  for (const plain of ['PRIVATE KEY', 'kept.example', 'SQLite format 3'])
    expect(sealed.includes(plain)).toBe(false);
});

it('[2.3] a copy of the store lies nowhere after a backup', async () => {
  expect((await readdir(api.folder)).filter((name) => name.startsWith('.backup'))).toEqual([]);
});

it('[2.3] with a wrong passphrase, a flipped bit anywhere, or an end cut off, nothing is laid out', async () => {
  const sealed = readFileSync(file);
  const damaged = into('damaged.backup');
  const tryOpening = (word = passphrase) =>
    openBackup({ file: damaged, passphrase: word, folder: into('never') });
  const spoil = (bytes: Buffer) => {
    writeFileSync(damaged, bytes);
    return tryOpening();
  };
  writeFileSync(damaged, sealed);
  await expect(tryOpening('correct horse battery stapler')).rejects.toMatchObject({ code: 'backup-invalid' });
  const start = sealed.indexOf('\n', 18) + 1;
  for (const at of [3, 60, start + 5, sealed.length >> 1, sealed.length - 1]) {
    const copy = Buffer.from(sealed);
    copy[at] = (copy[at] ?? 0) ^ 1;
    await expect(spoil(copy), `byte ${at}`).rejects.toMatchObject({ code: 'backup-invalid' });
  }
  await expect(spoil(sealed.subarray(0, -20))).rejects.toMatchObject({ code: 'backup-invalid' });
  await expect(spoil(Buffer.from('hello'))).rejects.toMatchObject({ code: 'backup-invalid' });
  expect(await readdir(api.folder)).not.toContain('never');
});

it('[2.8] a passphrase that is too short is refused, and only admins take backups', async () => {
  const short = await api.ask('POST', '/api/v1/backup', { passphrase: 'short' });
  expect(problemOf(short).problems?.[0]?.path).toBe('passphrase');
  expect(short.body).not.toContain('short"');
});
