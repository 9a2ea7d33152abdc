/** Keeping: retention, events, backup and restore, tokens, and the hold. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../../common/clock.ts';
import { shrinksTooMuch } from '../../../common/delta.ts';
import { rules } from '../../../manager/desired/rules.ts';
import { openDb } from '../../../manager/store/db.ts';
import { createEvents } from '../../../manager/store/events.ts';
import { restoreStore } from '../../../manager/store/restore.ts';
import type { Commit, Store } from '../../../manager/store/store.ts';
import type { EventLine } from '../../../protocol/views.ts';
import { createManualClock } from '../../support/clock.ts';
import { basics, cluster, deletion, puts, site } from './declared.ts';
import { folder, log, opened, refusal, tamper } from './opened.ts';

const names = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `s${from + n}.example.org`);
const remove = (store: Store, gone: string[]) =>
  Promise.all(
    gone.map((name) => store.write({ actor: 'test', edits: [deletion('Site', name)], guard: 'exempt' })),
  );
const restore = (file: string, seenEpoch: number) =>
  restoreStore({ file, seenEpoch, actor: 'test', reason: 'restored', rules, clock: systemClock, log });

it('[2.3] bodies are pruned by count, and the chain still verifies', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(cluster({ journal: { keepBodies: 1000 } })) });
  for (let at = 0; at < 2; at += 1)
    await store.write({
      actor: 'test',
      edits: puts(...names(0, 1100).map((name) => site(name, { maxBody: `${at + 1}m` }))),
    });
  await store.prune();
  expect(await store.verify()).toMatchObject({ ok: true, entries: 2201, bodies: 1000 });
  const [oldest] = await store.journal({ since: 0, limit: 1 });
  expect(oldest).toMatchObject({ rev: 1, body: null });
  expect((await store.get('Cluster', 'cluster'))?.spec.journal.keepBodies).toBe(1000);
});

it('[2.3] bodies are pruned by age', async () => {
  const clock = createManualClock();
  const { store } = await opened({ clock });
  await store.write({ actor: 'test', edits: puts(site('old.example.org')) });
  await clock.advance(91 * 86_400_000);
  await store.write({ actor: 'test', edits: puts(site('new.example.org')) });
  await store.prune();
  expect((await store.journal({ since: 0, limit: 10 })).map(({ body }) => body === null)).toEqual([
    true,
    false,
  ]);
});

it('[2.3] bodies that are to be kept longer than there is a calendar are kept, and the rest is pruned', async () => {
  const { store } = await opened();
  const journal = { keepFor: '999999999d', keepBodies: 1000 };
  await store.write({ actor: 'test', edits: puts(cluster({ journal })) });
  await store.write({ actor: 'test', edits: puts(...names(0, 1100).map((name) => site(name))) });
  await store.prune();
  expect(await store.verify()).toMatchObject({ ok: true, bodies: 1000 });
});

it('[2.3] an agent older than the deletions that are kept gets a snapshot', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  const { revision } = await store.write({
    actor: 'test',
    edits: puts(...names(0, 1500).map((name) => site(name))),
  });
  await remove(store, names(0, 1300));
  const kept = store.meta().revision;
  await store.write({ actor: 'test', edits: puts(...names(2000, 3400).map((name) => site(name))) });
  expect((await store.changes('role/web', 1, kept)).since).toBe(kept);
  expect((await store.changes('role/web', 1, revision)).since).toBe(revision);
  await remove(store, names(2000, 3400));
  await store.prune();
  expect(await store.changes('role/web', 1, kept)).toMatchObject({ since: null });
  expect((await store.verify()).problems).toEqual([]);
});

it('[2.3] events are kept in order up to a bound, and can be read from where one stopped', async () => {
  const { store } = await opened();
  const heard: string[] = [];
  store.events.onAppended((lines) => heard.push(...lines.map(({ id }) => id)));
  const event = (n: number) => ({
    type: 'drift',
    severity: 'warning' as const,
    subject: `path ${n}`,
    message: 'm',
    node: n % 2 ? 'web1' : 'web2',
    data: { n },
  });
  for (let n = 0; n < 25_000; n += 5000) {
    store.events.append(Array.from({ length: 5000 }, (_, at) => event(n + at)));
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(n + 5000);
  }
  const newest = await store.events.range({ limit: 3 });
  expect(newest.map(({ subject }) => subject)).toEqual(['path 24997', 'path 24998', 'path 24999']);
  expect(newest[2]?.data).toEqual({ n: 24_999 });
  const after = await store.events.range({ since: newest[0]?.id, limit: 10, node: 'web1' });
  expect(after.map(({ subject }) => subject)).toEqual(['path 24999']);
  const [oldest] = await store.events.range({ since: '0', limit: 1 });
  expect(Number(oldest?.id)).toBeGreaterThan(2000);
});

it('[2.3] what an event carries is cut to a bound where it is kept and where it is told, and says so', async () => {
  const { store } = await opened();
  const heard: EventLine[] = [];
  store.events.onAppended((lines) => heard.push(...lines));
  const diffs = Array.from({ length: 100 }, (_, at) => ({ path: `${at}`, diff: 'é'.repeat(1000) }));
  const happening = { type: 'unit.changed', severity: 'info' as const, subject: 's', message: 'm' };
  store.events.append([
    { ...happening, data: { code: 'x', diffs, detail: 'y'.repeat(100_000) } },
    { ...happening, message: 'z'.repeat(1_000_000), data: 'text'.repeat(100_000) },
    { ...happening, data: { small: true } },
  ]);
  await expect.poll(() => heard.length).toBe(3);
  const lines = await store.events.range({ limit: 3 });
  expect(lines).toEqual(heard);
  for (const line of lines) expect(Buffer.byteLength(JSON.stringify(line))).toBeLessThan(37 * 1024);
  const data = lines[0]?.data as { code: string; diffs: unknown[]; cut: unknown };
  expect(data).toMatchObject({ code: 'x', cut: { fields: ['diffs', 'detail'] } });
  expect(data.diffs, 'whole diffs, from the first on').toEqual(diffs.slice(0, data.diffs.length));
  expect(lines[1]?.message).toMatch(/^z{4096}\.\.\. \(cut, 995904 characters more\)$/);
  expect(lines[1]?.data).toEqual({ cut: { fields: ['data'], bytes: 400_002 } });
  expect(lines[2]?.data).toEqual({ small: true });
});

it('[2.3] events together are bounded by bytes, and the newest stay', async () => {
  const { store, file } = await opened();
  await store.close();
  const db = await openDb(file);
  const events = createEvents({ db, clock: systemClock, log, keepBytes: 1024 * 1024 });
  const happening = { type: 'unit.changed', severity: 'info' as const, subject: 's', message: 'm' };
  for (let at = 0; at < 200; at += 1)
    events.append([{ ...happening, message: `${at}`, data: { text: 'x'.repeat(20_000) } }]);
  await events.idle();
  events.append([happening]);
  await events.idle();
  await events.trim();
  const lines = await events.range({ limit: 1000 });
  expect(lines.length).toBeGreaterThan(45);
  expect(lines.length).toBeLessThan(54);
  expect(lines.slice(-2).map(({ message }) => message)).toEqual(['199', 'm']);
  await db.close();
});

it('[2.3] a backup under writes is one consistent moment, readable by its owner alone', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  const copy = join(await folder(), 'copy.sqlite');
  const writing = names(0, 400).map((name) => store.write({ actor: 'test', edits: puts(site(name)) }));
  await store.backup(copy);
  await Promise.all(writing);
  expect((await stat(copy)).mode & 0o777).toBe(0o600);
  await expect(store.backup(copy)).rejects.toMatchObject({ code: 'store-failed' });
  const { store: restored } = await opened({ file: copy });
  expect((await restored.verify()).problems).toEqual([]);
  expect(restored.meta()).toMatchObject({ cluster: store.meta().cluster, damaged: false });
});

it('[2.3] restore raises the epoch above any that was seen, and holds until an operator says go', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  await store.invites.add({
    id: 'one',
    hash: 'h',
    expires: '2999-01-01T00:00:00Z',
    roles: [],
    parameters: {},
    by: 'op',
    made: '2026-11-21T09:00:00Z',
    approve: false,
  });
  const copy = join(await folder(), 'copy.sqlite');
  await store.backup(copy);
  expect(await restore(copy, 6)).toMatchObject({ epoch: 7, revision: 6, mode: 'held', reason: 'restored' });
  const { store: restored } = await opened({ file: copy });
  expect(restored.meta()).toMatchObject({ epoch: 7, mode: 'held', damaged: false });
  expect(new Set(restored.heads().map(({ epoch }) => epoch))).toEqual(new Set([7]));
  expect(restored.invites.get('one')).toBeUndefined();
  expect((await restored.verify()).problems).toEqual([]);
  expect((await refusal(restored.write({ actor: 'test', edits: puts(site('a.example.org')) }))).code).toBe(
    'manager-held',
  );
  expect(await restored.changes('role/web', 1, 3)).toMatchObject({ epoch: 7, since: null });
  await restored.resume({ actor: 'test', seenEpoch: 0, allowShrink: true });
  expect(restored.head('role/web')).toMatchObject({ epoch: 8, shrink: { epoch: 8 } });
  await restored.write({ actor: 'test', edits: puts(site('a.example.org')) });
  expect((await restored.journal({ limit: 2 })).map(({ op, epoch }) => `${op} ${epoch}`)).toEqual([
    'epoch 8',
    'put 8',
  ]);
});

it('[2.3] restore refuses a backup that does not verify', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  const copy = join(await folder(), 'copy.sqlite');
  await store.backup(copy);
  await tamper(copy, `UPDATE journal SET actor = 'other' WHERE rev = 2`);
  expect((await refusal(restore(copy, 1))).code).toBe('store-damaged');
});

it('[2.3] a hold outlives a restart and ends with resume, in an epoch above all that nodes have shown', async () => {
  const { store, file } = await opened();
  await store.hold('a node is ahead');
  await store.close();
  const { store: again } = await opened({ file });
  expect(again.meta()).toMatchObject({ mode: 'held', reason: 'a node is ahead', damaged: false });
  const commits: Commit[] = [];
  again.onCommit((commit) => commits.push(commit));
  await again.resume({ actor: 'somebody', seenEpoch: 4, allowShrink: false });
  expect(commits.map(({ entries }) => entries.map(({ op, epoch, actor }) => ({ op, epoch, actor })))).toEqual(
    [[{ op: 'epoch', epoch: 5, actor: 'somebody' }]],
  );
  await again.write({ actor: 'test', edits: puts(site('a.example.org')) });
  expect(again.meta()).toMatchObject({ mode: 'serving', epoch: 5, revision: 2 });
  expect(again.meta()).not.toHaveProperty('reason');
  expect((await again.verify()).problems).toEqual([]);
  await again.close();
  const { store: third } = await opened({ file });
  expect(third.meta()).toMatchObject({ mode: 'serving', epoch: 5, revision: 2, damaged: false });
});

it('[2.3] an operator who allows it lets nodes that are ahead drop as much as they must', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  await store.resume({ actor: 'test', seenEpoch: 3, allowShrink: true });
  const shrink = store.head('role/web')?.shrink;
  const lost = { Site: { had: 100, removed: 100 } };
  const at = (epoch: number, rev: number) => ({ epoch, rev, count: 100, digest: '0'.repeat(64) });
  expect(shrinksTooMuch(at(3, 9000), lost, shrink)).toEqual([]);
  expect(shrinksTooMuch(at(4, 9000), lost, shrink)).toEqual(['Site']);
});

it('[2.4] tokens are found by their secret, which the store does not hold, until they are revoked', async () => {
  const { store, file } = await opened();
  const secret = await store.tokens.create({ name: 'ci', role: 'operator' });
  expect((await refusal(store.tokens.create({ name: 'ci', role: 'admin' }))).code).toBe('already-exists');
  await store.close();
  const { store: again } = await opened({ file });
  expect(again.tokens.find(secret)).toMatchObject({ name: 'ci', role: 'operator' });
  expect(again.tokens.find(`${secret}x`)).toBeUndefined();
  expect(JSON.stringify(again.tokens.list())).not.toContain(secret);
  expect(await again.tokens.revoke('ci')).toBe(true);
  expect(again.tokens.find(secret)).toBeUndefined();
});

it('[2.4] the latest certificate of a node is known until it is revoked', async () => {
  const { store, file } = await opened();
  const record = (serial: string, expires: string) => ({
    serial,
    node: 'web1',
    key: 'k',
    issued: '2026-01-01T00:00:00Z',
    expires,
  });
  await store.certificates.add(record('1', '2026-02-01T00:00:00Z'));
  await store.certificates.add(record('2', '2026-03-01T00:00:00Z'));
  await store.close();
  const { store: again } = await opened({ file });
  expect(again.certificates.latest('web1')?.serial).toBe('2');
  expect(await again.certificates.revoke('web1')).toBe(2);
  expect(again.certificates.latest('web1')).toBeUndefined();
});

it("[2.3] the files of the store are its owner's alone, in whatever folder they lie", async () => {
  const { store, file } = await opened();
  await store.write({ actor: 'test', edits: puts(site('a.example.org')) });
  const modes = await Promise.all([file, `${file}-wal`, `${file}-shm`].map((path) => stat(path)));
  expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o600, 0o600, 0o600]);
});
