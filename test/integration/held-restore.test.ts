/** Restore: a backup taken through the API comes back in an epoch of its own, held, and the nodes follow once an operator has said so. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../common/clock.ts';
import { restore } from '../../manager/setup/restore.ts';
import { until } from '../support/until.ts';
import { createHeldManager, type HeldManager, type TestNode } from './held-manager.ts';

const passphrase = 'correct horse battery staple';
const names = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `s${from + at}.example.org`);

let manager: HeldManager;
let web1: TestNode;
let backup: string;
let passphraseFile: string;

const follows = (count: number, epoch: number) =>
  until(
    `web1 has ${count} sites in epoch ${epoch}`,
    () => web1.sites().length === count && web1.desired.stand('role/web')?.epoch === epoch,
  );
const restored = (file = backup) => restore({ file, data: manager.data, passphraseFile, clock: systemClock });

/** Every file of the manager with its bytes, to see that a refused restore has left all as it was. */
async function contents(): Promise<Record<string, string>> {
  const entries = await readdir(manager.data, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await readFile(file, 'base64')] as const)),
  );
}

beforeEach(async () => {
  manager = await createHeldManager();
  await manager.start();
  web1 = await manager.joinNode('web1', ['web']);
  web1.start();
  await manager.applySites(names(1, 10));
  await follows(10, 1);
  const { status, raw } = await manager.call('POST', '/api/v1/backup', { passphrase });
  expect(status).toBe(200);
  backup = join(manager.folder, 'evenkeel.backup');
  passphraseFile = join(manager.folder, 'passphrase');
  await writeFile(backup, raw);
  await writeFile(passphraseFile, `${passphrase}\n`, { mode: 0o600 });
});

afterEach(async () => {
  await manager.end();
});

it('[2.3] what a killed restore left goes at the next start, of a restore that runs nothing', async () => {
  await manager.stop();
  const ended = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => ended.once('exit', resolve));
  const living = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)']);
  const [left, running, foreign] = [`.restore-1-${ended.pid}`, `.restore-2-${living.pid}`, '.restore-mine'];
  for (const name of [left, running, foreign]) {
    await mkdir(join(manager.data, name, 'pki'), { recursive: true });
    await writeFile(join(manager.data, name, 'pki', 'signing.key'), 'a key');
  }
  await manager.start();
  const there = await readdir(manager.data);
  living.kill('SIGKILL');
  expect(there.filter((name) => name.startsWith('.restore-')).sort()).toEqual([running, foreign].sort());
});

it('[2.3] a restored manager starts held in an epoch that nobody has seen, and nodes follow it after resume', async () => {
  const { epoch, revision } = await manager.state();
  await manager.applySites(names(11, 30));
  await follows(30, 1);
  await manager.stop();
  const done = await restored();
  expect(done).toMatchObject({ epoch: epoch + 1, reason: expect.stringContaining(backup) });
  expect(await readdir(done.aside)).toEqual(expect.arrayContaining(['store.sqlite', 'pki', 'witness.json']));
  await manager.start();
  await until('web1 is back', async () => {
    const { items } = await manager.done<{ items: { online: boolean }[] }>('GET', '/api/v1/nodes');
    return items.every(({ online }) => online);
  });
  expect(await manager.state()).toMatchObject({ mode: 'held', epoch: epoch + 1, revision: revision + 1 });
  expect((await manager.ready()).body.reason).toMatch(/restored from .*resume/);
  expect(web1.sites()).toHaveLength(30);
  expect(web1.desired.stand('role/web')?.epoch).toBe(epoch);
  const after = await manager.resume(true);
  await follows(10, after.epoch);
  expect(await manager.done('GET', '/api/v1/journal/verify')).toMatchObject({ ok: true });
  await manager.applySites(names(40, 40));
  await follows(11, after.epoch);
});

it('[2.3] without leave to shrink, nodes keep what the backup has not, and say so', async () => {
  await manager.applySites(names(11, 30));
  await follows(30, 1);
  await manager.stop();
  await restored();
  await manager.start();
  await manager.resume();
  await until('web1 has refused', async () => {
    const { items } = await manager.done<{ items: { alarms: { code: string }[] }[] }>('GET', '/api/v1/nodes');
    return items.some(({ alarms }) => alarms.some(({ code }) => code === 'snapshot-refused'));
  });
  expect(web1.sites()).toHaveLength(30);
  const { epoch } = await manager.resume(true);
  await follows(10, epoch);
});

it('[2.3] everything lost but the backup: keys and store come back, and the nodes know the manager', async () => {
  await manager.stop();
  for (const lost of ['store.sqlite', 'pki', 'witness.json', 'ca.crt'])
    await rm(join(manager.data, lost), { recursive: true });
  expect((await restored()).epoch).toBe(2);
  await manager.start();
  const after = await manager.resume();
  await follows(10, after.epoch);
});

it('[2.3] an invite that was open when the backup was taken opens nothing afterwards', async () => {
  const { join: open } = await manager.done<{ join: string }>('POST', '/api/v1/invites', { roles: [] });
  const { raw } = await manager.call('POST', '/api/v1/backup', { passphrase });
  await writeFile(backup, raw);
  await manager.stop();
  await restored();
  await manager.start();
  await manager.resume();
  await expect(manager.joinWith(open, 'late')).rejects.toMatchObject({ code: 'invite-invalid' });
});

it('[2.3] restore is refused while the manager runs, and changes nothing', async () => {
  const { revision } = await manager.state();
  await expect(restored()).rejects.toThrow(/running/);
  await manager.applySites(names(11, 11));
  expect(await manager.state()).toMatchObject({ mode: 'serving', revision: revision + 1 });
});

it('[2 bad input] a wrong passphrase, a backup cut short and a file that is none change nothing', async () => {
  await manager.stop();
  const before = await contents();
  await writeFile(passphraseFile, 'another passphrase\n');
  await expect(restored()).rejects.toMatchObject({ code: 'backup-invalid' });
  await writeFile(passphraseFile, passphrase);
  const cut = join(manager.folder, 'cut.backup');
  const whole = await readFile(backup);
  for (const size of [0, 100, whole.length - 1]) {
    await writeFile(cut, whole.subarray(0, size));
    await expect(restored(cut)).rejects.toMatchObject({ code: 'backup-invalid' });
  }
  await expect(restored(passphraseFile)).rejects.toMatchObject({ code: 'backup-invalid' });
  await expect(restored(join(manager.folder, 'nowhere'))).rejects.toMatchObject({ code: 'backup-invalid' });
  expect(await contents()).toEqual(before);
});
