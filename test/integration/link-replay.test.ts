/** What a node never believes: the past played again, other clusters, other signatures, other authorities. */
import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seal } from '../../common/envelope.ts';
import { topicOf } from '../../protocol/topics.ts';
import { type Box, createBox } from '../support/box.ts';
import { createAuthority, temporaryFolder } from '../support/courier.ts';
import { cluster, type Rig, site, startRig } from '../support/rig.ts';
import { until } from '../support/until.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

describe('anti-replay', () => {
  const quietly = async (box: Box) => {
    const { history } = box;
    const length = history.length;
    return () => expect(box.history.length).toBe(length);
  };

  it('[3] an old head that is played again is refused, and said aloud; the alarm ends with a newer head', async () => {
    const { box } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const old = rig.headNow('role/web');
    rig.journal.commit([site('b.example')]);
    await rig.settled(box);
    const unchanged = await quietly(box);
    await rig.publishHead(old);
    await until('the alarm is raised', () => rig.alarms('manager-went-back').length === 1);
    unchanged();
    expect(rig.alarms('manager-went-back')[0]).toMatchObject({ subject: 'role/web', active: true });
    rig.journal.commit([site('c.example')]);
    await until('the alarm is over', () => rig.alarms('manager-went-back').some(({ active }) => !active));
  });

  it('[3] a head of a lower epoch, or of another cluster, is refused', async () => {
    const { box } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const unchanged = await quietly(box);
    await rig.publishHead(rig.headNow('role/web', { epoch: 0, rev: 999 }));
    await until('the alarm is raised', () => rig.alarms('manager-went-back').length === 1);
    await rig.publishHead(rig.headNow('role/web', { cluster: 'other', rev: 999 }));
    await until('the alarm says so', () =>
      rig.alarms('manager-went-back').some(({ message }) => /other/.test(message)),
    );
    unchanged();
  });

  it('[3] a head with another signature is not believed', async () => {
    const { box, link } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const { pulls } = link.counts();
    const forged = rig.headNow('role/web', { rev: 999, digest: 'f'.repeat(64) });
    await rig.publishHead(forged, seal(forged, generateKeyPairSync('ed25519').privateKey));
    rig.journal.commit([cluster(1)]);
    await rig.settled(box, 'cluster');
    expect(link.counts().pulls).toBe(pulls);
  });

  it('[3] a snapshot that removes more than a fifth is refused until an operator allows it', async () => {
    const { box } = await rig.startWeb();
    rig.journal.commit(Array.from({ length: 30 }, (_, index) => site(`s${index}.example`)));
    await rig.settled(box);
    await rig.stopBroker();
    rig.journal.commit(
      Array.from({ length: 10 }, (_, index) => ({
        kind: 'Site',
        name: `s${index}.example`,
        scopes: ['role/web'],
      })),
    );
    rig.journal.resume(false);
    await rig.startBroker();
    await until('the alarm is raised', () => rig.alarms('snapshot-refused').length === 1);
    expect(rig.alarms('snapshot-refused')[0]?.message).toContain('10 of 30 Site');
    expect(box.stand('role/web')?.count).toBe(30);
    rig.journal.resume(true);
    await rig.publisher.resume();
    await rig.settled(box);
    expect(box.stand('role/web')?.count).toBe(20);
    await until('the alarm is over', () => rig.alarms('snapshot-refused').some(({ active }) => !active));
  });

  it('[3] a node that is ahead of the store holds the manager, which shows nothing until it is let go on', async () => {
    const { box } = await rig.startWeb();
    rig.journal.commit([site('a.example')]);
    await rig.settled(box);
    const box2 = createBox();
    const { since: _, ...basis } = rig.journal.head('cluster') ?? rig.headNow('role/web');
    await box2.apply('cluster', {
      ...basis,
      count: 0,
      digest: '0'.repeat(64),
      rev: 500,
      snapshot: true,
      changes: [],
    });
    rig.journal.commit([cluster(0)]);
    rig.startLink(await rig.enrol('web2', []), box2);
    await until('the manager is held', () => rig.journal.meta().mode === 'held');
    expect(rig.publisher.ahead()).toEqual([{ node: 'web2', scope: 'cluster', epoch: 1, rev: 500 }]);
    const before = box.stand('role/web')?.rev;
    rig.journal.commit([site('b.example')]);
    await rig.broker().publish(topicOf.receipt('web1'), { ids: [] });
    expect(box.stand('role/web')?.rev).toBe(before);
    rig.journal.resume(false);
    await rig.publisher.resume();
    await rig.settled(box);
    expect(rig.publisher.ahead()).toEqual([]);
  });

  it('[4] a manager with another authority is never spoken to', async () => {
    const identity = await rig.enrol('web1', []);
    const { folder, remove } = await temporaryFolder();
    const { key, cert } = (await createAuthority(folder)).credentials.current();
    let [attempts, spoken] = [0, 0];
    const middle = createServer({ key, cert }, (socket) => socket.on('data', () => (spoken += 1)));
    middle.on('tlsClientError', () => (attempts += 1));
    await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', resolve));
    const { port } = middle.address() as AddressInfo;
    const { link } = rig.startLink({ ...identity, ports: { ...identity.ports, broker: port } });
    await until('it tried twice', () => attempts >= 2);
    expect([link.connected(), spoken]).toEqual([false, 0]);
    middle.close();
    await remove();
  });
});
