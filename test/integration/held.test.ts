/** Held: a manager whose store is empty, damaged or older changes nothing on any node until an operator has said so. */
import { copyFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askStanding } from '../../agent/identity/standing.ts';
import { systemClock } from '../../common/clock.ts';
import { startOver } from '../../manager/setup/start-over.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import { until } from '../support/until.ts';
import { tamper } from '../unit/store/opened.ts';
import { createHeldManager, type HeldManager, type TestNode } from './held-manager.ts';

const names = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `s${from + at}.example.org`).sort();

const site = (name: string) => ({ kind: 'Site', name, spec: { root: `/home/${name}` } });

let manager: HeldManager;
let nodes: TestNode[];
let listen: Awaited<ReturnType<HeldManager['eavesdrop']>>;

/** Whole seconds in which leases and heads of a manager that serves would be heard. */
const QUIET_MS = 2500;

async function settled(count: number): Promise<void> {
  const { epoch, revision } = await manager.state();
  for (const node of nodes)
    await until(`${node.name} has ${count} sites of epoch ${epoch}`, () => {
      const stand = node.desired.stand('role/web');
      return stand?.epoch === epoch && stand.rev <= revision && node.sites().length === count;
    });
}

const keptBy = () => nodes.map((node) => ({ stands: node.stands(), sites: node.sites() }));

/** Copies the store as it is on disk, as an operator does who takes it for a backup. */
async function copyStore(to: string): Promise<void> {
  await copyFile(manager.store, to);
}

async function putInPlace(from: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rm(`${manager.store}${end}`, { force: true });
  await copyFile(from, manager.store);
}

beforeEach(async () => {
  manager = await createHeldManager();
  await manager.start();
  nodes = [await manager.joinNode('web1', ['web']), await manager.joinNode('web2', ['web'])];
  listen = await manager.eavesdrop('lb1', ['balancer']);
  for (const node of nodes) node.start();
  await manager.applySites(names(1, 10));
  await settled(10);
});

afterEach(async () => {
  await manager.end();
});

/**
 * The manager starts held, says why, and for a while nobody is told anything and nothing moves.
 * @param doors whether it still knows its nodes, and lets them in to hear its silence
 */
async function expectHeld(reason: RegExp, doors: 'open' | 'closed'): Promise<string[]> {
  const before = keptBy();
  await manager.start();
  const ear = await listen().catch(() => undefined);
  expect(ear === undefined ? 'closed' : 'open').toBe(doors);
  const ready = await manager.ready();
  expect(ready.status).toBe(503);
  expect(ready.body.reason).toMatch(reason);
  // Whom it does not know any more, it does not tell that he was removed: he would give back all that he has.
  for (const { identity } of nodes)
    expect(await askStanding(identity).catch(({ code }: EvenkeelError) => code)).not.toBe('node-removed');
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  expect(ear?.heard ?? []).toEqual([]);
  expect(keptBy()).toEqual(before);
  return ear?.heard ?? [];
}

describe('a store that cannot be used', () => {
  beforeEach(() => manager.stop());

  it('[2 bad input] a manager without a store starts held, makes none, and no node changes', async () => {
    await rm(manager.store);
    await expectHeld(/no store at .*restore.*start-over/, 'closed');
    await expect(stat(manager.store)).rejects.toThrow();
    expect((await manager.call('GET', '/api/v1/state')).status).toBe(401);
    await manager.stop();
    await expectHeld(/no store at/, 'closed');
  });

  it('[2 bad input] a manager with an empty file for a store starts held, and no node changes', async () => {
    await writeFile(manager.store, '');
    await expectHeld(/empty.*restore/, 'closed');
    expect((await readFile(manager.store)).length).toBe(0);
  });

  it('[2 bad input] a manager with a damaged store starts held, refuses writes and resume, and no node changes', async () => {
    await tamper(manager.store, `UPDATE journal SET actor = 'other' WHERE kind = 'Site'`);
    await expectHeld(/chain.*restore/, 'open');
    for (const [path, body] of [
      ['/api/v1/resume', { allowShrink: true }],
      ['/api/v1/apply', { documents: [site('new.example.org')] }],
    ] as const)
      expect((await manager.call<{ code: string }>('POST', path, body)).body.code).toBe('store-damaged');
    expect(await manager.state()).toMatchObject({ mode: 'held' });
  });

  it('[2 bad input] a manager with half a store starts held, and no node changes', async () => {
    const { size } = await stat(manager.store);
    await truncate(manager.store, Math.floor(size / 8192) * 4096);
    await expectHeld(/restore/, 'closed');
  });

  it('[2 bad input] a manager whose store a newer version has written starts held, and no node changes', async () => {
    await tamper(manager.store, 'PRAGMA user_version = 1000');
    await expectHeld(/schema 1000/, 'open');
  });

  it('[2 bad input] a fresh store under the keys of the old one is known for a stranger, and no node changes', async () => {
    const other = await createHeldManager();
    await putInPlace(other.store);
    await other.end();
    await expectHeld(/belongs to the cluster/, 'closed');
  });

  it('[2 bad input] after starting over, no node is let in before it is invited again, and what is left is kept aside', async () => {
    await writeFile(manager.store, 'not a database');
    const before = keptBy();
    const content = new URL('../..', import.meta.url).pathname;
    const { token, epoch, aside } = await startOver(
      { data: manager.data, content, balancer: 'haproxy' },
      systemClock,
    );
    expect(await readFile(join(aside, 'store.sqlite'), 'utf8')).toBe('not a database');
    expect(epoch).toBeGreaterThan(1);
    manager.setToken(token);
    await manager.start();
    expect((await manager.state()).cluster).toBe(nodes[0]?.identity.cluster);
    await manager.applySites(names(1, 8));
    await until('the nodes were refused', async () => {
      const { items } = await manager.done<{ items: { type: string }[] }>('GET', '/api/v1/events');
      return items.some(({ type }) => type === 'trust.refused');
    });
    expect(keptBy()).toEqual(before);
    const [web1] = nodes as [TestNode];
    await web1.away();
    await rm(join(manager.folder, 'web1', 'identity', 'cert.pem'));
    const again = await manager.rejoin(web1, ['web']);
    again.start();
    await until('web1 follows the new store', () => again.sites().length === 8);
    expect(again.desired.stand('role/web')?.epoch).toBe(epoch);
  });
});

describe('an older store', () => {
  it('[2 bad input] an older copy is known at the start: nothing is said to any node until an operator resumes', async () => {
    await manager.stop();
    const copy = join(manager.folder, 'copy.sqlite');
    await copyStore(copy);
    await manager.start();
    await manager.applySites(names(11, 13));
    await settled(13);
    await manager.stop();
    await putInPlace(copy);
    const heard = await expectHeld(/older copy.*resume/, 'open');
    const refused = await manager.call<{ code: string }>('POST', '/api/v1/apply', {
      documents: [site('new.example.org')],
    });
    expect(refused.body.code).toBe('manager-held');
    const before = await manager.state();
    const after = await manager.resume();
    expect(after).toMatchObject({ mode: 'serving', epoch: before.epoch + 1, ahead: [] });
    for (const topic of ['evenkeel/1/head/cluster', 'evenkeel/1/lease'])
      await until(`${topic} is heard again`, () => heard.includes(topic));
    await settled(10);
    await manager.applySites(names(20, 20));
    await settled(11);
  });

  it('[2 bad input] an older copy without a witness is known by the first node that shows more, and nodes follow it once they may', async () => {
    await manager.stop();
    const copy = join(manager.folder, 'copy.sqlite');
    await copyStore(copy);
    await manager.start();
    await manager.applySites(names(11, 30));
    await settled(30);
    await manager.stop();
    await putInPlace(copy);
    await rm(join(manager.data, 'witness.json'));
    const before = keptBy();
    await manager.start();
    await manager.held();
    await until('both are seen to be ahead', async () => (await manager.state()).ahead.length >= 2);
    expect((await manager.ready()).status).toBe(503);
    expect(keptBy()).toEqual(before);
    await until('it is in the events', async () => {
      const { items } = await manager.done<{ items: { type: string }[] }>('GET', '/api/v1/events');
      return items.some(({ type }) => type === 'manager.held');
    });
    // Two thirds of the sites would go: the nodes refuse that until the operator allows it.
    await manager.resume();
    await until('a node has refused', async () => {
      const views = await manager.done<{ items: { alarms: { code: string }[] }[] }>('GET', '/api/v1/nodes');
      return views.items.some(({ alarms }) => alarms.some(({ code }) => code === 'snapshot-refused'));
    });
    expect(nodes.map((node) => node.sites().length)).toEqual([30, 30]);
    await manager.resume(true);
    await settled(10);
    await manager.applySites(names(40, 40));
    await settled(11);
  });

  it('[2 bad input] a node with a higher epoch holds the manager, and resume begins one above it', async () => {
    const [web1] = nodes as [TestNode];
    await web1.away();
    const stand = web1.desired.stand('cluster');
    if (!stand) throw new Error('web1 has nothing of the cluster');
    await web1.desired.apply('cluster', { ...stand, epoch: 7, snapshot: false, changes: [] });
    web1.start();
    await manager.held();
    const { ahead } = await manager.state();
    expect(ahead).toEqual([{ node: 'web1', scope: 'cluster', epoch: 7, rev: stand.rev }]);
    expect(await manager.resume()).toMatchObject({ mode: 'serving', epoch: 8 });
    await settled(10);
    await until('web1 follows again', () => web1.desired.stand('cluster')?.epoch === 8);
    const { items } = await manager.done<{ items: { op: string; actor: string }[] }>(
      'GET',
      '/api/v1/journal',
    );
    expect(items.at(-1)).toMatchObject({ op: 'epoch', actor: 'token:admin' });
    expect(await manager.done('GET', '/api/v1/journal/verify')).toMatchObject({ ok: true });
  });

  it('[2.3] the hold outlives a restart of the manager', async () => {
    const [web1] = nodes as [TestNode];
    await web1.away();
    const stand = web1.desired.stand('cluster');
    if (!stand) throw new Error('web1 has nothing of the cluster');
    await web1.desired.apply('cluster', { ...stand, rev: stand.rev + 100, snapshot: false, changes: [] });
    web1.start();
    await manager.held();
    await manager.stop();
    await web1.away();
    await expectHeld(/web1 has revision \d+/, 'open');
  });
});

it('[2.3] the witness is written as the store goes on, and a manager that stops leaves it at the last revision', async () => {
  const { revision } = await manager.state();
  await manager.stop();
  const seen = JSON.parse(await readFile(join(manager.data, 'witness.json'), 'utf8')) as { revision: number };
  expect(seen.revision).toBe(revision);
  expect(await readdir(manager.data)).not.toContain('store.sqlite-wal');
});
