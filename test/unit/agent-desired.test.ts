/** The desired state of a node: nothing is kept that does not add up, and what is kept is there after any restart. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDesired, type Desired } from '../../agent/state/desired.ts';
import type { ScopeUpdate } from '../../agent/state/scopes.ts';
import { createLog } from '../../common/log.ts';
import { createJournal, type TestJournal } from '../support/journal.ts';

const log = createLog('agent', 'silent');
let folder: string;
let desired: Desired;
let close: () => Promise<void>;
let journal: TestJournal;

const open = async (at = folder) => {
  desired = createDesired({ folder: at, log });
  close = await desired.start();
};
const reopen = async () => {
  await close();
  await open();
};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
  journal = createJournal();
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

const site = (name: string, text: string, scopes = ['role/web']) => ({
  kind: 'Site',
  name,
  spec: { text },
  scopes,
});
const gone = (name: string, scopes = ['role/web']) => ({ kind: 'Site', name, scopes });

/** What the manager would answer to a pull from where the node stands. */
async function update(scope: string, snapshot = false): Promise<ScopeUpdate> {
  const own = desired.stand(scope);
  const from = snapshot || own === null ? ([0, 0] as const) : ([own.epoch, own.rev] as const);
  const { since, ...answer } = await journal.changes(scope, ...from);
  return { ...answer, snapshot: since === null };
}
const pull = async (scope = 'role/web') => desired.apply(scope, await update(scope));
const texts = () =>
  Object.fromEntries(
    desired.list('Site').map(({ name, spec }) => [name, (spec as unknown as { text: string }).text]),
  );
const seen = () => ({ stands: desired.scopes().map((scope) => desired.stand(scope)), texts: texts() });

describe('an update', () => {
  it('[2.5] says which resources changed, and is there after a restart', async () => {
    journal.commit([site('a.example', '1'), site('b.example', '1')]);
    expect((await pull()).sort()).toEqual(['Site/a.example', 'Site/b.example']);
    journal.commit([site('a.example', '2'), gone('b.example'), site('c.example', '1')]);
    expect((await pull()).sort()).toEqual(['Site/a.example', 'Site/b.example', 'Site/c.example']);
    const before = seen();
    await reopen();
    expect(seen()).toEqual(before);
    expect(texts()).toEqual({ 'a.example': '2', 'c.example': '1' });
  });

  it.each<[string, (update: ScopeUpdate) => ScopeUpdate]>([
    ['lost a change', (whole) => ({ ...whole, changes: whole.changes.slice(1) })],
    [
      'has a changed body',
      (whole) => ({
        ...whole,
        changes: whole.changes.map((one) =>
          one.op === 'put' ? { ...one, body: one.body.replace('2', '3') } : one,
        ),
      }),
    ],
    ['has another count', (whole) => ({ ...whole, count: whole.count + 1 })],
    ['has another digest', (whole) => ({ ...whole, digest: whole.digest.replace(/./g, '1') })],
    ['calls a delta a snapshot', (whole) => ({ ...whole, snapshot: true })],
  ])('[2.5] that %s is refused whole, in memory and on the disk', async (_, damage) => {
    journal.commit([site('a.example', '1'), site('b.example', '1')]);
    await pull();
    journal.commit([site('a.example', '2'), site('c.example', '2')]);
    const before = seen();
    await expect(desired.apply('role/web', damage(await update('role/web')))).rejects.toMatchObject({
      code: 'digest-mismatch',
    });
    expect(seen()).toEqual(before);
    await reopen();
    expect(seen()).toEqual(before);
  });

  it('[2.5] is previewed by kind before anything is kept', async () => {
    journal.commit([
      site('a.example', '1'),
      site('b.example', '1'),
      { kind: 'Template', name: 't', spec: {}, scopes: ['role/web'] },
    ]);
    await pull();
    journal.commit([gone('b.example')]);
    expect(desired.preview('role/web', await update('role/web'))).toEqual({
      Site: { had: 2, removed: 1 },
      Template: { had: 1, removed: 0 },
    });
    expect(desired.preview('role/web', { ...(await update('role/web', true)), changes: [] })).toMatchObject({
      Site: { had: 2, removed: 2 },
    });
    expect(texts()).toHaveProperty(['b.example']);
  });
});

describe('a resource of two scopes', () => {
  const both = ['role/web', 'role/balancer'];

  it('[2.5] counts in the version of the scope that is further, and goes with the last of them', async () => {
    journal.commit([site('a.example', '1', both)]);
    await pull('role/web');
    await pull('role/balancer');
    journal.commit([site('a.example', '2', both)]);
    expect(await pull('role/balancer')).toEqual(['Site/a.example']);
    expect(texts()).toEqual({ 'a.example': '2' });
    expect(await pull('role/web')).toEqual([]);
    expect(await desired.drop('role/balancer')).toEqual([]);
    expect(texts()).toEqual({ 'a.example': '2' });
    expect(await desired.drop('role/web')).toEqual(['Site/a.example']);
    await reopen();
    expect([desired.scopes(), texts()]).toEqual([[], {}]);
  });
});

it('[2.5] damaged files are set aside and told, nothing of them is believed, and a pull mends it', async () => {
  journal.commit([site('a.example', '1')]);
  await pull();
  journal.commit([site('a.example', '2')]);
  await pull();
  await close();
  const file = join(folder, 'desired.log');
  writeFileSync(file, readFileSync(file, 'utf8').replace('\\"text\\":\\"1\\"', '\\"text\\":\\"9\\"'));
  await open();
  expect(desired.damage()).toContain('desired.log');
  expect([desired.scopes(), texts()]).toEqual([[], {}]);
  await pull();
  expect(texts()).toEqual({ 'a.example': '2' });
});

it('[2 bad input] a kind with a name of the language itself is counted like any other', async () => {
  journal.commit([{ kind: '__proto__', name: 'x', spec: {}, scopes: ['role/web'] }]);
  await pull();
  expect(Object.keys(desired.preview('role/web', await update('role/web', true)))).toEqual(['__proto__']);
  expect('had' in {}).toBe(false);
});

it('[2 bad input] a state folder that vanishes while the agent runs is written again with the next change', async () => {
  journal.commit([site('a.example', '1')]);
  await pull();
  rmSync(folder, { recursive: true });
  journal.commit([site('b.example', '1')]);
  await pull();
  await reopen();
  expect(texts()).toEqual({ 'a.example': '1', 'b.example': '1' });
});

it('[2.5] whatever comes, in whatever order, through restarts and compaction, the node has what the journal has', async () => {
  const names = fc.constantFrom('a.example', 'b.example', 'c.example', 'd.example');
  const scopes = fc.constantFrom<string[]>(['role/web'], ['role/balancer'], ['role/web', 'role/balancer']);
  const step = fc.oneof(
    fc.record({
      do: fc.constant('commit' as const),
      name: names,
      scopes,
      text: fc.option(fc.string({ maxLength: 40_000, minLength: 30_000 }), { freq: 4 }),
    }),
    fc.record({
      do: fc.constantFrom('pull' as const, 'snapshot' as const),
      scope: fc.constantFrom('role/web', 'role/balancer'),
    }),
    fc.record({ do: fc.constant('restart' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (walk) => {
      await close();
      rmSync(folder, { recursive: true });
      folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
      journal = createJournal();
      await open();
      const where = new Map<string, string[]>();
      for (const one of walk) {
        if (one.do === 'restart') await reopen();
        else if (one.do === 'commit') {
          // A resource leaves the scopes in which it is no more.
          const left = (where.get(one.name) ?? []).filter(
            (scope) => one.text === null || !one.scopes.includes(scope),
          );
          where.set(one.name, one.text === null ? [] : one.scopes);
          if (left.length > 0) journal.commit([gone(one.name, left)]);
          if (one.text !== null) journal.commit([site(one.name, one.text, one.scopes)]);
        } else if (journal.head(one.scope))
          await desired.apply(one.scope, await update(one.scope, one.do === 'snapshot'));
      }
      for (const { scope } of journal.heads()) await desired.apply(scope, await update(scope));
      await reopen();
      for (const { scope, digest, count } of journal.heads())
        expect(desired.stand(scope)).toMatchObject({ digest, count });
      expect(
        desired
          .list('Site')
          .map(({ name }) => name)
          .sort(),
      ).toEqual(
        [...where]
          .filter(([, held]) => held.length > 0)
          .map(([name]) => name)
          .sort(),
      );
    }),
    { numRuns: 25 },
  );
}, 60_000);
