/** The link between a node and its manager, over real TLS: how desired state arrives, and what a node says until it is heard. */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seal } from '../../common/envelope.ts';
import type { Ask } from '../../protocol/messages.ts';
import { topicOf } from '../../protocol/topics.ts';
import { createBox } from '../support/box.ts';
import { cluster, nodeWith, type Rig, site, startRig } from '../support/rig.ts';
import { until } from '../support/until.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

describe('desired state', () => {
  it('[3] a change rides along with its head: applied without a pull', async () => {
    const { box, link } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const { pulls } = link.counts();
    rig.journal.commit([site('b.example')]);
    await rig.settled(box);
    expect(link.counts()).toMatchObject({ pulls, mismatches: 0 });
    expect(box.get('Site', 'b.example')).toBeDefined();
  });

  it('[3] what is too large to ride along is pulled as a delta', async () => {
    const { box, link } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const { pulls } = link.counts();
    rig.journal.commit([site('big.example', 'x'.repeat(64 * 1024))]);
    await rig.settled(box);
    expect(link.counts().pulls).toBe(pulls + 1);
    expect(box.history.at(-1)).toMatchObject({ scope: 'role/web', snapshot: false });
  });

  it('[3] a manager that says to come again later is obeyed, and asked again', async () => {
    const { box, link } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const { pulls } = link.counts();
    rig.journal.state.mode = 'held';
    rig.journal.commit([site('b.example')]);
    await rig.publishHead(rig.headNow('role/web', { since: 0 }));
    await until('it asked', () => link.counts().pulls > pulls);
    const asked = performance.now();
    await until('it asked again', () => link.counts().pulls > pulls + 1);
    expect(performance.now() - asked).toBeGreaterThan(900);
    rig.journal.state.mode = 'serving';
    await rig.settled(box);
  });

  it('[3] lost heads cost a pull and nothing else', async () => {
    const { box, link } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    await rig.stopBroker();
    for (const name of ['b', 'c', 'd']) rig.journal.commit([site(`${name}.example`)]);
    await rig.startBroker();
    await rig.settled(box);
    expect(box.history.at(-1)).toMatchObject({ scope: 'role/web', snapshot: false });
    expect(link.counts().mismatches).toBe(0);
  });

  it('[3] heads that come twice change nothing, and a node at the head dials nothing after a reconnect', async () => {
    const { box, link, heard } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const [before, { pulls }] = [box.history.length, link.counts()];
    for (let time = 0; time < 5; time += 1) await rig.publishHead(rig.headNow('role/web'));
    await rig.stopBroker();
    await rig.startBroker();
    await until('it is back', () => heard.hellos === 2);
    rig.journal.commit([cluster(0)]);
    await rig.settled(box, 'cluster');
    expect(box.history.length).toBe(before + 1);
    expect(link.counts().pulls).toBe(pulls);
  });

  it('[3] what does not add up is fetched whole, and counted', async () => {
    const { box, link } = await rig.startWeb();
    rig.journal.commit([site('a.example'), site('b.example')]);
    await rig.settled(box);
    box.plant('role/web', 'Site/a.example');
    rig.journal.commit([site('c.example')]);
    await rig.settled(box);
    expect(box.get('Site', 'a.example')).toBeDefined();
    expect(link.counts().mismatches).toBe(1);
    expect(box.history.at(-1)).toMatchObject({ snapshot: true });
  });

  it('[3] a change that spans scopes is handed on when all of them are there', async () => {
    const { box, heard } = await rig.startWeb();
    rig.journal.commit([{ ...site('a.example'), scopes: ['role/web', 'cluster'] }]);
    await rig.settled(box);
    heard.applied.length = 0;
    rig.journal.commit([site('b.example'), cluster(1)]);
    await until('it was handed on', () => heard.applied.length > 0);
    expect(heard.applied[0]?.sort()).toEqual(['Cluster/cluster', 'Site/b.example']);
  });

  it('[3] a scope that stays away is pulled after a second', async () => {
    const { box, heard } = await rig.startWeb();
    rig.journal.commit([{ ...site('a.example'), scopes: ['role/web', 'cluster'] }]);
    await rig.settled(box);
    await rig.settled(box, 'cluster');
    heard.applied.length = 0;
    await rig.stopBroker();
    rig.journal.commit([site('b.example'), cluster(1)]);
    const touches = {
      'role/web': rig.journal.head('role/web')!.rev,
      cluster: rig.journal.head('cluster')!.rev,
    };
    // The head of one scope arrives with its touches, the other one is lost on the way.
    rig.journal.heads = () => [];
    await rig.startBroker();
    await until('it is back', () => heard.hellos === 2);
    await rig.publishHead(rig.headNow('role/web', { touches }));
    await rig.settled(box, 'cluster');
    await until('it was handed on', () => heard.applied.length > 0);
    expect(heard.applied[0]?.sort()).toEqual(['Cluster/cluster', 'Site/b.example']);
  });

  it('[3] roles decide what is followed: a new one is fetched, a lost one is dropped', async () => {
    const { box, heard } = await rig.startWeb();
    rig.journal.commit([site('a.example'), { ...site('s.example'), scopes: ['role/storage'] }]);
    await rig.settled(box);
    rig.setRoles('web1', ['storage']);
    rig.journal.commit([nodeWith('web1', ['storage'])]);
    await rig.settled(box, 'role/storage');
    await until('the lost scope is dropped', () => box.stand('role/web') === null);
    expect(heard.applied.flat()).toContain('Site/a.example');
    await until('the status says so', () => {
      const { status } = rig.heard.statuses.at(-1) ?? {};
      return status !== undefined && !('role/web' in status.scopes);
    });
  });
});

describe('what the node says', () => {
  const drift = { type: 'fight', unit: 'web-nginx', path: '/x', count: 4 } as const;
  const passed = {
    type: 'unit',
    unit: 'web-nginx',
    scopes: {},
    digest: '',
    result: 'changed',
    held: [],
    timing: {},
    diffs: [],
  } as const;
  const fights = () => rig.heard.reports.filter(({ report }) => report.type === 'fight');

  it('[4] a report is kept until the manager has kept it: through a restart, and a store that fails at first', async () => {
    await rig.stop();
    const failed = new Set<string>();
    rig = await startRig({
      report: async (node, report) => {
        const isFirst = !failed.has(report.id);
        failed.add(report.id);
        if (isFirst) throw new Error('the disk is full');
        rig.heard.reports.push({ node, report });
      },
    });
    const identity = await rig.enrol('web1', []);
    const { link } = rig.startLink(identity);
    await until('it is connected', () => link.connected());
    await rig.stopBroker();
    await until('it is cut', () => !link.connected());
    for (let count = 0; count < 3; count += 1) link.report({ ...drift, count });
    await rig.startBroker();
    await until('all arrived', () => new Set(fights().map(({ report }) => report.id)).size === 3);
    await until('all were received', () => link.counts().waiting === 0);
  });

  it('[4] a full outbox keeps the newest and counts what it dropped', async () => {
    await rig.stopBroker();
    const { link } = rig.startLink(await rig.enrol('web1', []));
    for (let count = 0; count < 2100; count += 1) link.report({ ...drift, count });
    expect(link.counts()).toMatchObject({ waiting: 2000, dropped: 100 });
    await rig.startBroker();
    await until('all were received', () => link.counts().waiting === 0, 20_000);
    const counts = fights().map(({ report }) => (report.type === 'fight' ? report.count : -1));
    expect([Math.min(...counts), Math.max(...counts)]).toEqual([100, 2099]);
  });

  it('[4] a report that is too large goes without its diffs', async () => {
    const { link } = rig.startLink(await rig.enrol('web1', []));
    const diffs = [{ path: '/x', change: 'modified' as const, diff: 'y'.repeat(300_000) }];
    link.report({ type: 'drift', unit: 'web-nginx', action: 'repaired', diffs });
    await until('it arrived', () => rig.heard.reports.length === 1);
    expect(rig.heard.reports[0]?.report).toMatchObject({
      diffs: [{ path: '/x', diff: '', replaced: true }],
    });
  });

  it('[4] each connection is a session: online, beats, and offline by will or farewell', async () => {
    const { link } = rig.startLink(await rig.enrol('web1', []));
    await until('it beats', () => rig.heard.beats.length >= 2);
    await rig.broker().kick('web1');
    await until('it is back', () => rig.heard.statuses.length === 3 && link.connected());
    await rig.stopLinks();
    await until('it said farewell', () => rig.heard.statuses.length === 4);
    const said = rig.heard.statuses.map(({ status }) => status);
    expect(said.map(({ state }) => state)).toEqual(['online', 'offline', 'online', 'offline']);
    expect(said[0]?.session).toBe(said[1]?.session);
    expect(said[2]?.session).toBe(said[3]?.session);
    expect(said[0]?.session).not.toBe(said[2]?.session);
  });

  it('[4] how a unit ended is followed by a beat at once, which says how all of them stand', async () => {
    const { link } = rig.startLink(await rig.enrol('n1', ['web']));
    await until('it is there', () => rig.heard.statuses.length > 0);
    const before = rig.heard.beats.length;
    for (let pass = 0; pass < 5; pass += 1) link.report({ ...passed, held: [], diffs: [] });
    await until('five reports and as many beats', () => rig.heard.beats.length >= before + 5, 1_500);
  });

  it('[4] it answers what its manager asks, and nobody else', async () => {
    const asked: Ask[] = [];
    const { link } = rig.startLink(await rig.enrol('web1', []), createBox(), {
      ask: async (ask) => {
        asked.push(ask);
        return { id: ask.id, what: ask.what, units: [] };
      },
    });
    await until('it is connected', () => link.connected());
    const ask: Ask = { type: 'ask', cluster: rig.journal.cluster, node: 'web1', id: '1', what: 'plan' };
    const { privateKey } = generateKeyPairSync('ed25519');
    const send = (envelope: object) => rig.broker().publish(topicOf.ask('web1'), envelope);
    await until('it follows', async () => {
      await send(rig.pki.seal({ ...ask, id: 'first' }));
      return asked.length > 0;
    });
    await send(seal(ask, privateKey));
    await send(rig.pki.seal({ ...ask, node: 'web2' }));
    await send(rig.pki.seal({ ...ask, cluster: 'other' }));
    await send(rig.pki.seal({ ...ask, id: 'last' }));
    await until('the last one arrived', () => asked.at(-1)?.id === 'last');
    expect(new Set(asked.map(({ id }) => id))).toEqual(new Set(['first', 'last']));
  });
});
