/** Who is let in: invitations and their bounds, boxes that wait for an operator, and keys that change, over the real door. */
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join as pathOf } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newKey, requestFor } from '../../agent/identity/csr.ts';
import { join, ownKey, parseJoinString } from '../../agent/identity.ts';
import { readable } from '../../common/fingerprint.ts';
import { createPki, initPki, type Pki } from '../../manager/pki/pki.ts';
import { createNodeViews } from '../../manager/wiring/nodes.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import type { Facts } from '../../protocol/messages.ts';
import { parseResource } from '../../protocol/resource.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { createAuthority, quiet, temporaryFolder } from '../support/courier.ts';
import { startJoinDoor } from '../support/join-door.ts';

const OP = 'token:op';
const HOUR = 3_600_000;
const facts: Facts = {
  ...{ hostname: 'box', os: 'Debian 12', arch: 'x64', agent: '0.1.0', protocol: 1, address: '192.0.2.11' },
  paths: { state: '/srv/state', run: '/srv/run', log: '/srv/log' },
};

/** No two boxes have one address. */
const factsOf = (name: string): Facts => ({ ...facts, address: `192.0.2.1${name.at(-1)}` });

let folder: string;
let remove: () => Promise<void>;
let clock: ManualClock;
let pki: Pki;
let door: Awaited<ReturnType<typeof startJoinDoor>>;

const open = async (more: { port?: number; installer?: () => string } = {}) => {
  door = await startJoinDoor({ file: pathOf(folder, 'store.sqlite'), pki, machinesPort: 1, clock, ...more });
};
const restart = async () => {
  await door.stop();
  await open({ port: door.ports.api });
};
beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  clock = createManualClock(Date.now());
  await initPki({ folder: pathOf(folder, 'pki'), clock });
  pki = await createPki({ folder: pathOf(folder, 'pki'), address: '127.0.0.1', clock, log: quiet });
  await open();
});
afterEach(async () => {
  await door.stop();
  await remove();
});

const invite = async (body: object = {}) =>
  (await door.join.invite({ roles: ['web'], parameters: {}, hours: 24, approve: false, ...body }, OP)).join;
const box = (name: string) => pathOf(folder, name, 'identity');
const joinAs = (name: string, string: string, at = box(name)) =>
  join(string, { name, facts: factsOf(name), folder: at });
const refusal = (asked: Promise<unknown>): Promise<EvenkeelError> =>
  asked.then(
    () => Promise.reject(new Error('it was not refused')),
    (err: EvenkeelError) => err,
  );
const nodeOf = async (name: string) => (await door.store.get('Node', name))?.spec;
const secretIn = (string: string) => parseJoinString(string).secret;
const typed = (type: string) => door.events.filter((event) => event.type === type);

describe('[4.4] an invitation', () => {
  it('is listed with who made it, what for, and by whom it was used, and never with its secret', async () => {
    const string = await invite({ name: 'web1', from: '127.0.0.0/8' });
    const made = { state: 'open', by: OP, roles: ['web'], name: 'web1', from: '127.0.0.0/8', approve: false };
    expect(door.join.invites()).toMatchObject([made]);
    await joinAs('web1', string);
    const key = (await nodeOf('web1'))?.identity?.key;
    expect(door.join.invites()).toMatchObject([
      { ...made, state: 'used', used: { node: 'web1', key, from: '127.0.0.1', at: expect.any(String) } },
    ]);
    await restart();
    expect(door.join.invites()).toMatchObject([{ ...made, state: 'used', used: { node: 'web1' } }]);
    await clock.advance(25 * HOUR);
    await door.store.prune();
    expect(door.join.invites()).toEqual([]);
    const [, secret = '-'] = secretIn(string).split('.');
    expect(JSON.stringify([door.join.invites(), door.events, door.told])).not.toContain(secret);
  });

  it('answers the same key again until it expires, and no other one', async () => {
    const string = await invite({ hours: 1 });
    await joinAs('web1', string);
    const before = await nodeOf('web1');
    await rm(pathOf(box('web1'), 'cert.pem'));
    await restart();
    await joinAs('web1', string);
    expect(await nodeOf('web1'), 'it is the same member as before').toEqual(before);

    const other = await refusal(joinAs('web1', string, box('thief')));
    expect(other).toMatchObject({ code: 'invite-invalid', message: expect.stringContaining('another box') });
    await rm(pathOf(box('web1'), 'cert.pem'));
    expect(await refusal(joinAs('web9', string, box('web1')))).toMatchObject({ code: 'invite-invalid' });
    await clock.advance(HOUR);
    expect(await refusal(joinAs('web1', string))).toMatchObject({ code: 'invite-invalid' });
    expect(await nodeOf('web1')).toEqual(before);
  });

  it('that was used brings no removed node back', async () => {
    const string = await invite();
    await joinAs('web1', string);
    const edits = [{ op: 'delete' as const, kind: 'Node' as const, name: 'web1', where: '' }];
    await door.store.write({ actor: OP, edits });
    await rm(pathOf(box('web1'), 'cert.pem'));
    expect(await refusal(joinAs('web1', string))).toMatchObject({ code: 'invite-invalid' });
    expect(await nodeOf('web1')).toBeUndefined();
  });

  it('that was taken back opens nothing, at once and after a restart', async () => {
    const string = await invite();
    const [listed] = door.join.invites();
    await door.join.uninvite(listed?.id ?? '', OP);
    expect(door.join.invites()).toMatchObject([{ state: 'revoked', revoked: { by: OP } }]);
    expect(typed('invite.revoked')).toHaveLength(1);
    for (const _ of [1, 2]) {
      const refused = await refusal(joinAs('web1', string));
      expect(refused).toMatchObject({
        code: 'invite-invalid',
        message: expect.stringContaining('was taken back at'),
      });
      await restart();
    }
    expect(await refusal(door.join.uninvite('unknown', OP))).toMatchObject({ code: 'not-found' });
  });

  it.each([
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.1'],
    ['192.0.2.64/26', '::ffff:192.0.2.127', '::ffff:192.0.2.128'],
    ['2001:db8:5::/48', '2001:db8:5:ffff::1', '2001:db8:6::1'],
    ['fe80::/10', 'fe80::1%eth0', '10.0.0.1'],
    ['0.0.0.0/0', '203.0.113.9', '2001:db8::1'],
  ])('for %s lets %s in and not %s, whatever the box says its address is', async (from, within, outside) => {
    const secret = secretIn(await invite({ from }));
    const csr = await requestFor('web1', await newKey());
    const ask = (address: string) => door.join.join({ name: 'web1', secret, csr, facts }, address);
    const refused = await refusal(ask(outside));
    expect(refused).toMatchObject({ code: 'invite-invalid', message: expect.stringContaining(from) });
    expect(door.told.at(-1)).toContain(`(from ${outside})`);
    await ask(within);
    expect((await nodeOf('web1'))?.roles).toEqual(['web']);
  });

  it('tells whoever has only its id nothing of what became of it', async () => {
    const string = await invite();
    const [id = ''] = secretIn(string).split('.');
    const csr = await requestFor('web1', await newKey());
    const guess = () => refusal(door.join.join({ name: 'web1', secret: `${id}.guess`, csr, facts }));
    const before = (await guess()).message;
    await joinAs('web1', string);
    expect((await guess()).message).toBe(before);
  });

  it('carries the checksum of the installer where there is one', async () => {
    expect(parseJoinString(await invite()).installer).toBeUndefined();
    await door.stop();
    const installer = 'ab'.repeat(32);
    await open({ installer: () => installer });
    expect(parseJoinString(await invite()).installer).toBe(installer);
  });
});

describe('[4.4] trust on the box', () => {
  it('has the fingerprint of the key that the manager then knows', async () => {
    const key = await ownKey(box('web1'));
    await joinAs('web1', await invite());
    expect((await nodeOf('web1'))?.identity?.key).toBe(key);
    await expect(ownKey(box('web1'))).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('an altered string ends before anything is sent: another authority, or one that is none', async () => {
    const parts = JSON.parse(Buffer.from(await invite(), 'base64url').toString()) as { ca: string };
    const encode = (ca: string) => Buffer.from(JSON.stringify({ ...parts, ca })).toString('base64url');
    const other = await createAuthority(pathOf(folder, 'other'));
    const swapped = await refusal(joinAs('web1', encode(other.authority())));
    expect(swapped).toMatchObject({
      code: 'manager-untrusted',
      message: expect.stringContaining('stands between'),
    });
    const broken = await refusal(joinAs('web1', encode(parts.ca.slice(0, -40))));
    expect(broken).toMatchObject({ code: 'invite-invalid' });
    expect(door.told).toEqual([]);
  });
});

describe('[4.4] a box that has to be accepted', () => {
  it('waits with its fingerprint and facts, is accepted by name, and joins with the same string and key', async () => {
    const string = await invite({ approve: true });
    expect(await refusal(joinAs('web1', string))).toMatchObject({ code: 'join-waiting', retriable: true });
    const key = await ownKey(box('web1'));
    const asks = { name: 'web1', why: 'approval', key, from: '127.0.0.1', roles: ['web'], facts };
    expect(door.join.waiting()).toMatchObject([asks]);
    expect(await nodeOf('web1')).toBeUndefined();
    await restart();
    expect(await refusal(joinAs('web1', string))).toMatchObject({ code: 'join-waiting' });
    expect(door.join.waiting()).toMatchObject([asks]);
    expect(typed('join.waiting'), 'it is said once').toHaveLength(0);
    expect(await refusal(joinAs('web1', string, box('thief')))).toMatchObject({ code: 'invite-invalid' });

    await door.join.accept({ name: 'web1', by: OP });
    expect(door.join.waiting()).toEqual([]);
    const [entry] = (await door.store.journal({ limit: 1 })).slice(-1);
    expect(entry).toMatchObject({ actor: OP, kind: 'Node', name: 'web1', op: 'put' });
    expect(typed('join.accepted')).toHaveLength(1);
    await joinAs('web1', string);
    expect(await nodeOf('web1')).toMatchObject({ roles: ['web'], identity: { key } });
    expect(door.join.invites()).toMatchObject([{ state: 'used', used: { node: 'web1' } }]);
  });

  it('is every box where the cluster says so, whatever its invitation says', async () => {
    const string = await invite();
    const parsed = parseResource({
      ...{ kind: 'Cluster', name: 'cluster' },
      spec: { address: '127.0.0.1', approveJoins: true },
    });
    if (!parsed.ok) throw new Error('the cluster is not right');
    await door.store.write({ actor: OP, edits: [{ op: 'put', resource: parsed.resource, where: '' }] });
    expect(await refusal(joinAs('web1', string))).toMatchObject({ code: 'join-waiting' });
    await door.join.accept({ name: 'web1', by: OP });
    await joinAs('web1', string);
  });

  it('that is refused learns it, and its invitation opens nothing any more', async () => {
    const string = await invite({ approve: true });
    await refusal(joinAs('web1', string));
    await door.join.refuse({ name: 'web1', by: OP });
    expect(await refusal(joinAs('web1', string))).toMatchObject({ code: 'join-refused', retriable: false });
    expect(door.join.waiting()).toEqual([]);
    expect(await refusal(door.join.accept({ name: 'web1', by: OP }))).toMatchObject({ code: 'not-found' });
  });

  it('is chosen by its fingerprint where two ask for one name', async () => {
    for (const at of ['a', 'b']) await refusal(joinAs('web1', await invite({ approve: true }), box(at)));
    const both = await refusal(door.join.accept({ name: 'web1', by: OP }));
    expect(both).toMatchObject({ code: 'bad-request', problems: [{ path: 'fingerprint' }] });
    const key = await ownKey(box('b'));
    await door.join.accept({ name: 'web1', by: OP, fingerprint: readable(key).toUpperCase() });
    expect((await nodeOf('web1'))?.identity?.key).toBe(key);
    expect(door.join.waiting(), 'the other one asks for a name that is taken now').toMatchObject([
      { name: 'web1', why: 'identity', known: { key } },
    ]);
    expect(await refusal(door.join.accept({ name: 'web1', by: OP }))).toMatchObject({ code: 'not-found' });
    expect((await nodeOf('web1'))?.identity?.key).toBe(key);
  });

  it('is one of a hundred at most: the next is told that too many wait', async () => {
    const csr = await requestFor('web1', await newKey());
    const ask = async (string: string) =>
      refusal(door.join.join({ name: 'web1', secret: secretIn(string), csr, facts }, '192.0.2.1'));
    for (let n = 0; n < 100; n += 1) await ask(await invite({ approve: true }));
    expect(door.join.waiting()).toHaveLength(100);
    expect(await ask(await invite({ approve: true }))).toMatchObject({ code: 'busy' });
    expect(door.join.waiting()).toHaveLength(100);
  });
});

describe('[4.4] a known name with another key', () => {
  const changed = async (string: string) => refusal(joinAs('web1', string, box('reinstalled')));
  const viewOf = (name: string) =>
    createNodeViews({
      ...{ store: door.store, observed: { of: () => undefined }, clock, waiting: door.join.waiting },
      world: { headsOf: () => [], unitsOf: () => [] },
      clones: { alarms: () => [] },
      queueOf: () => ({ state: 'empty', waiting: 0, action: '' }),
    }).one(name);

  it('waits with both fingerprints, and the node shows it; trusted by an operator it joins, and the old key is out', async () => {
    await joinAs('web1', await invite());
    const before = await nodeOf('web1');
    const string = await invite();
    expect(await changed(string)).toMatchObject({ code: 'identity-changed' });
    const key = await ownKey(box('reinstalled'));
    const known = { key: before?.identity?.key, address: '192.0.2.11', alive: null };
    expect(door.join.waiting()).toMatchObject([
      { name: 'web1', why: 'identity', key, from: '127.0.0.1', known },
    ]);
    expect(typed('identity.changed')).toMatchObject([{ node: 'web1', data: { key, before: known.key } }]);
    expect(viewOf('web1')).toMatchObject({
      state: 'identity-changed',
      alarms: [{ code: 'identity-changed', message: expect.stringContaining(readable(key)) }],
    });
    expect(await nodeOf('web1')).toEqual(before);
    await restart();
    expect(door.join.waiting()).toMatchObject([{ why: 'identity', key }]);

    const wrong = await refusal(door.join.trust({ name: 'web1', fingerprint: 'ab'.repeat(32), by: OP }));
    expect(wrong).toMatchObject({ code: 'bad-request', problems: [{ path: 'fingerprint' }] });
    await door.join.trust({ name: 'web1', fingerprint: readable(key), by: OP });
    const [entry] = (await door.store.journal({ limit: 1 })).slice(-1);
    expect(entry).toMatchObject({ actor: OP, kind: 'Node', name: 'web1' });
    expect(entry?.body).toContain(key);
    expect(door.cut).toEqual(['web1']);
    expect(typed('identity.trusted')).toMatchObject([{ node: 'web1', data: { key, before: known.key } }]);
    await joinAs('web1', string, box('reinstalled'));
    expect(await nodeOf('web1')).toMatchObject({ roles: ['web'], identity: { key } });
    expect(viewOf('web1')).toMatchObject({ state: 'unreachable', alarms: [] });
    const old = await requestFor('web1', await readFile(pathOf(box('web1'), 'key.pem'), 'utf8'));
    expect(await refusal(door.join.renew('web1', old))).toMatchObject({ code: 'identity-changed' });
  });

  it('keeps nobody else from joining and renewing', async () => {
    await joinAs('web1', await invite());
    await changed(await invite());
    await joinAs('web2', await invite());
    const csr = await requestFor('web2', await readFile(pathOf(box('web2'), 'key.pem'), 'utf8'));
    expect((await door.join.renew('web2', csr)).certificate).toContain('BEGIN CERTIFICATE');
  });

  it('while the node lives: both addresses are named, the node keeps its place, and nobody can trust the other', async () => {
    await joinAs('web1', await invite());
    const before = await nodeOf('web1');
    door.living.set('web1', '192.0.2.11');
    const string = await invite();
    const refused = await changed(string);
    expect(refused).toMatchObject({
      code: 'name-in-use',
      message: expect.stringMatching(/192\.0\.2\.11.*127\.0\.0\.1/),
    });
    expect(door.join.waiting()).toMatchObject([{ known: { alive: '192.0.2.11' } }]);
    const fingerprint = await ownKey(box('reinstalled'));
    const trust = () => door.join.trust({ name: 'web1', fingerprint, by: OP });
    expect(await refusal(trust())).toMatchObject({ code: 'name-in-use' });
    expect({ node: await nodeOf('web1'), cut: door.cut }).toEqual({ node: before, cut: [] });
    door.living.clear();
    await trust();
    await joinAs('web1', string, box('reinstalled'));
  });

  it('a box with the key of another node is a copied disk, and both are named', async () => {
    await joinAs('web1', await invite());
    await mkdir(box('web2'), { recursive: true });
    await cp(pathOf(box('web1'), 'key.pem'), pathOf(box('web2'), 'key.pem'));
    const refused = await refusal(joinAs('web2', await invite()));
    expect(refused).toMatchObject({
      code: 'identity-copied',
      message: expect.stringContaining('web1 at 192.0.2.11'),
    });
    expect(await nodeOf('web2')).toBeUndefined();
    await rm(pathOf(box('web2'), 'key.pem'));
    await joinAs('web2', await invite());
  });
});
