/** The move of a storage by the manager: a real store and what nodes say of themselves; the nodes and the mover are played. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createObserved, type Observed } from '../../manager/health/observed.ts';
import { createStorageMoves, type StorageMoves } from '../../manager/storage/moves.ts';
import type { Happening } from '../../manager/storage/phases.ts';
import type { Store } from '../../manager/store/store.ts';
import type { Report, StorageReport } from '../../protocol/messages.ts';
import type { Resource } from '../../protocol/resource.ts';
import { type MovePhase, movePhases } from '../../protocol/resources/storage.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { quiet } from '../support/courier.ts';
import { until } from '../support/until.ts';
import { basics, declare, node, policy, puts } from '../unit/store/declared.ts';
import { opened } from '../unit/store/opened.ts';

const from = { server: { node: 'files' }, export: '/srv/home' };
const to = { server: '10.0.0.40', export: '/vol/home' };

let clock: ManualClock;
let store: Store;
let observed: Observed;
let moves: StorageMoves;
let events: Happening[];
let stop: () => Promise<void>;
let ids = 0;

beforeEach(async () => {
  clock = createManualClock();
  events = [];
  ({ store } = await opened({ clock }));
  await write(
    ...basics(),
    policy('mounts', { inputs: { storages: { kind: 'Storage' } } }),
    policy('exports', { role: 'storage', inputs: { storages: { kind: 'Storage' } } }),
    node('web2', { address: '127.0.0.12' }),
    node('files', { roles: ['storage'], address: '127.0.0.13' }),
    declare('Storage', 'home', { ...from, mountpoint: '/home' }),
  );
  startManager();
  return () => stop();
});

const write = (...resources: Resource[]) =>
  store.write({ actor: 'test', edits: puts(...resources), guard: 'exempt' });

/** Its memory of nodes begins empty each time. */
function startManager(): void {
  observed = createObserved({ clock, emit: () => undefined, headsOf: () => [] });
  moves = createStorageMoves({ store, observed, emit: (one) => events.push(one), clock, log: quiet });
  const undo = moves.start();
  stop = undo;
  for (const name of ['web1', 'web2', 'files']) hello(name);
}

const base = () => ({ id: `r${++ids}`, session: 's', at: '2026-01-01T00:00:00Z' });
const hello = (name: string) =>
  observed.status(name, { session: 's', state: 'online', version: '1', protocol: 1, scopes: {} });
/** The node has done all that is declared now. */
function obey(name: string, result: 'changed' | 'failed' = 'changed', message = ''): void {
  const { epoch, revision: rev } = store.meta();
  const report: Report = {
    ...{ ...base(), type: 'unit', unit: 'mounts', scopes: { 'role/web': { epoch, rev } }, digest: '' },
    ...{ result, held: [], timing: {}, diffs: [] },
    ...(message === '' ? {} : { error: { code: 'kernel-refused', message } }),
  };
  observed.report(name, report);
  observed.report(name, { ...report, ...base(), unit: 'web' });
}
/** The old server has exported it as it is declared now: to be written, or read alone. */
function fences(): void {
  const { epoch, revision: rev } = store.meta();
  observed.report('files', {
    ...{ ...base(), type: 'unit', unit: 'exports', scopes: { 'role/storage': { epoch, rev } }, digest: '' },
    ...{ result: 'changed', held: [], timing: {}, diffs: [] },
  });
}
const say = (phase: MovePhase, more: Partial<StorageReport>, name = 'web1') =>
  observed.report(name, {
    ...{ ...base(), type: 'storage', storage: 'home', move: home().move?.id ?? '', phase },
    ...{ pass: 0, seconds: 0, files: 0, bytes: 0, left: 0 },
    ...more,
  });
const home = () =>
  store.view().Storage.get('home')?.spec as NonNullable<ReturnType<typeof declare<'Storage'>>>['spec'];
const phase = () => home().move?.phase ?? 'none';
const comes = (wanted: string) =>
  until(`the phase is ${wanted}, not ${phase()}`, async () => {
    await clock.advance(100);
    return phase() === wanted;
  });
const begin = async (more: object = {}) => {
  for (const name of ['web1', 'web2']) obey(name);
  fences();
  return moves.begin({ name: 'home', to, by: 'web1', compareWithin: '30m', actor: 'token:ann', ...more });
};
/** Plays the part of everybody up to where the phase begins. */
async function upTo(wanted: MovePhase): Promise<void> {
  await begin();
  if (wanted === 'copy') return;
  for (const name of ['web1', 'web2']) obey(name);
  fences();
  say('copy', { pass: 1, seconds: 3 });
  await comes('freeze');
  if (wanted === 'freeze') return;
  for (const name of ['web1', 'web2']) obey(name);
  await comes('fence');
  if (wanted === 'fence') return;
  for (const name of ['web1', 'web2']) obey(name);
  fences();
  await comes('compare');
  if (wanted === 'compare') return;
  for (const name of ['web1', 'web2']) obey(name);
  say('compare', { pass: 1, identical: true });
  await comes('switch');
}
const actors = async () =>
  (await store.journal({ since: 0, limit: 1000 }))
    .filter(({ name }) => name === 'home')
    .map(({ actor }) => actor);

describe('[3.7] a planned move of a storage', () => {
  it('ends at the new server, each phase one journal entry, and the event says how long nobody could write', async () => {
    await upTo('switch');
    expect(home()).toMatchObject(to);
    for (const name of ['web1', 'web2']) obey(name);
    await comes('none');
    expect(home()).toMatchObject(to);
    expect(events.map(({ type }) => type)).toEqual([
      ...['storage.begun', ...Array(4).fill('storage.phase'), 'storage.moved'],
    ]);
    expect(events.at(-1)?.message).toMatch(/for \d+ s nobody could write/);
    expect(await actors()).toEqual(['test', 'token:ann', ...Array(5).fill('storage-move')]);
  });

  it('stands still while one node has not done its part, and counts nothing from before the phase', async () => {
    await upTo('freeze');
    obey('web1');
    await clock.advance(5_000);
    expect(phase()).toBe('freeze');
    expect(moves.view('home').move?.waits).toBe('web2: mounts has not looked at it yet');
    obey('web2');
    await comes('fence');
  });

  it('copies nothing for the last time before the old server takes no writes any more', async () => {
    await upTo('fence');
    for (const name of ['web1', 'web2']) obey(name);
    await clock.advance(5_000);
    expect(phase()).toBe('fence');
    expect(moves.view('home').move?.waits).toMatch(/^files, which serves it: exports has/);
    fences();
    await comes('compare');
  });

  it('waits for a node in maintenance that is heard: it may write', async () => {
    const aside = { reason: 'a new disk', owner: 'ann' };
    await write(node('web2', { address: '127.0.0.12', maintenance: aside }));
    await upTo('freeze');
    obey('web1');
    await clock.advance(5_000);
    expect(phase()).toBe('freeze');
    observed.status('web2', { session: 's', state: 'offline', version: '1', protocol: 1, scopes: {} });
    await comes('fence');
  });

  it('is taken back when a node cannot stop its writers in time, and names it with the reason', async () => {
    await upTo('freeze');
    obey('web1');
    obey('web2', 'failed', '/home is busy: 4711 (php-fpm)');
    await clock.advance(61_000);
    await comes('none');
    expect(home()).toMatchObject(from);
    expect(events.at(-1)).toMatchObject({ type: 'storage.reverted', severity: 'error' });
    expect(events.at(-1)?.message).toContain('web2: mounts failed: /home is busy: 4711 (php-fpm)');
  });

  it('goes back to the old server when a node does not come over in switch', async () => {
    await upTo('switch');
    obey('web1');
    await clock.advance(121_000);
    await comes('none');
    expect(home()).toMatchObject(from);
  });

  it('goes back when the copy is not the same, and when the mover fails', async () => {
    await upTo('compare');
    say('compare', { pass: 1, identical: false });
    await comes('none');
    await begin();
    say('copy', { error: { code: 'copy-failed', message: 'No space left on device' } });
    await comes('none');
    expect(home()).toMatchObject(from);
    expect(events.at(-1)?.message).toContain('No space left on device');
  });

  it('can be cancelled in each phase, and is then where it was', async () => {
    for (const wanted of movePhases) {
      await upTo(wanted);
      await moves.cancel({ name: 'home', actor: 'token:ann' });
      expect(home()).toMatchObject(from);
      expect(phase()).toBe('none');
      expect(events.at(-1)).toMatchObject({ type: 'storage.reverted', severity: 'warning' });
    }
    await expect(moves.cancel({ name: 'home', actor: 'a' })).rejects.toMatchObject({ code: 'move-refused' });
  });

  it('goes on after the manager was away longer than the deadline, once it has heard the nodes', async () => {
    await upTo('switch');
    await stop();
    await clock.advance(600_000);
    startManager();
    await clock.advance(2_000);
    expect(phase()).toBe('switch');
    for (const name of ['web1', 'web2']) obey(name);
    await comes('none');
    expect(home()).toMatchObject(to);
  });

  it('is taken back where the rules refuse its next step, with their words', async () => {
    await upTo('compare');
    await write(
      declare('Cluster', 'cluster', {
        ...{ address: '127.0.0.1', balancer: 'haproxy', networks: { cluster: '127.0.0.0/24' } },
      }),
    );
    for (const name of ['web1', 'web2']) obey(name);
    say('compare', { pass: 1, identical: true });
    await comes('none');
    expect(home()).toMatchObject(from);
    expect(events.at(-1)?.message).toContain('127.0.0.0/24');
  });
});

describe('[3.7] a move that cannot work is refused before anything is copied', () => {
  const refused = (more: object) => expect(begin(more)).rejects;

  it('to where it is, to a node that is no file server, by a node that cannot copy, and beside another one', async () => {
    await refused({ to: from }).toThrow('is at node files:/srv/home already');
    await refused({ to: { server: { node: 'web2' }, export: '/x' } }).toThrow('role storage');
    await refused({ by: 'files' }).toThrow('does not mount');
    obey('web1', 'failed', 'no mount');
    const own = moves.begin({ name: 'home', to, by: 'web1', compareWithin: '30m', actor: 'a' });
    await expect(own).rejects.toThrow('cannot copy');
    await begin();
    await refused({}).toMatchObject({ code: 'storage-moving' });
    expect(events.filter(({ type }) => type === 'storage.begun')).toHaveLength(1);
  });

  it('to an address outside the cluster network', async () => {
    await write(
      declare('Cluster', 'cluster', {
        ...{ address: '127.0.0.1', balancer: 'haproxy', networks: { cluster: '127.0.0.0/24' } },
      }),
    );
    await refused({}).toMatchObject({ code: 'network-conflict' });
    expect(phase()).toBe('none');
  });

  it('and with a node away it begins, says so, and stops nobody before it is there', async () => {
    await begin();
    await moves.cancel({ name: 'home', actor: 'a' });
    observed.status('web2', { session: 's', state: 'offline', version: '1', protocol: 1, scopes: {} });
    const { warnings } = await begin();
    expect(warnings).toEqual(['web2 is waited for before writing stops: it is not heard']);
    obey('web1');
    say('copy', { pass: 1, seconds: 1 });
    await clock.advance(3_600_000);
    expect(phase()).toBe('copy');
  });
});
