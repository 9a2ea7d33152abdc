/** Trust from end to end: a box joins with a string, stays a member by renewing, comes back after expiry, and nobody else gets in. */

import { sign } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join as pathOf } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newKey, requestFor } from '../../agent/identity/csr.ts';
import { join, openIdentity, parseJoinString } from '../../agent/identity.ts';
import { bearerOf, parseCertificate } from '../../common/certificates.ts';
import { systemClock } from '../../common/clock.ts';
import { request } from '../../common/request.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import { parseResource } from '../../protocol/resource.ts';
import { createManualClock } from '../support/clock.ts';
import { createAuthority, quiet, temporaryFolder } from '../support/courier.ts';
import { facts, factsOf, type Manager, openManager } from '../support/joinable.ts';
import { until } from '../support/until.ts';

const DAY = 86_400_000;
let manager: Manager;
beforeEach(async () => {
  manager = await openManager();
});
afterEach(() => manager.stop());

const joinAs = (name: string, string: string, folder = manager.box(name)) =>
  join(string, { name, facts: factsOf(name), folder });

describe('joining', () => {
  it('[4] writes the node with the roles of the invite, and what the box says of its paths', async () => {
    const string = await manager.invite({ roles: ['web'] });
    const membership = await joinAs('web1', string);
    const identity = await openIdentity({ folder: manager.box('web1'), clock: systemClock, log: quiet });
    const { key } = bearerOf(parseCertificate(identity.current().cert));
    expect(membership).toMatchObject({ node: 'web1', cluster: manager.store.meta().cluster });
    expect(await manager.node('web1')).toMatchObject({
      roles: ['web'],
      address: '192.0.2.11',
      paths: facts.paths,
      identity: { key },
    });
    expect(manager.peers.admit(parseCertificate(identity.current().cert))).toEqual({
      node: 'web1',
      roles: ['web'],
    });
    expect(manager.store.certificates.latest('web1')).toMatchObject({ key });
  });

  it('[3.8] lets a node speak from the cluster network alone, once there is one', async () => {
    await joinAs('web1', await manager.invite());
    const identity = await openIdentity({ folder: manager.box('web1'), clock: systemClock, log: quiet });
    const certificate = parseCertificate(identity.current().cert);
    const declare = async (network: string) => {
      const spec = { address: network.replace('0/24', '1'), networks: { cluster: network } };
      const parsed = parseResource({ kind: 'Cluster', name: 'cluster', spec });
      if (!parsed.ok) throw new Error('the cluster is not right');
      const edits = [{ op: 'put' as const, resource: parsed.resource, where: '' }];
      await manager.store.write({ actor: 'op', edits });
    };
    expect(manager.peers.admit(certificate, '203.0.113.9')).toMatchObject({ node: 'web1' });
    await declare('192.0.2.0/24');
    expect(() => manager.peers.admit(certificate, '203.0.113.9')).toThrow('outside the cluster network');
    expect(manager.refusedPeers).toEqual(['forbidden']);
    expect(manager.peers.admit(certificate, '::ffff:192.0.2.11')).toMatchObject({ node: 'web1' });
  });

  it('[4] keeps the key on the box, in files that only their owner can read', async () => {
    await joinAs('web1', await manager.invite());
    const folder = manager.box('web1');
    const files = (await readdir(folder)).sort();
    expect(files).toEqual(['ca.pem', 'cert.pem', 'cluster.pub', 'key.pem', 'manager.json']);
    for (const file of files) expect((await stat(pathOf(folder, file))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('[4] takes a join string once: a second box is refused, and a second time at once as well', async () => {
    const string = await manager.invite();
    await joinAs('web1', string);
    await expect(joinAs('web2', string)).rejects.toMatchObject({ code: 'invite-invalid' });

    const another = await manager.invite();
    const names = ['web3', 'web4', 'web5', 'web6'];
    const tries = await Promise.allSettled(names.map((name) => joinAs(name, another)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of tries)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'invite-invalid' });
    expect([...manager.store.view().Node.keys()]).toHaveLength(2);
  });

  it('[4] refuses what is forged, meant for another name, or no join string at all, and changes nothing', async () => {
    const string = await manager.invite({ name: 'web1' });
    const parts = JSON.parse(Buffer.from(string, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...parts, secret: `${parts.secret.split('.')[0]}.guess` }));
    for (const [name, text] of [
      ['web2', string],
      ['web1', forged.toString('base64url')],
      ['web1', 'nonsense'],
    ] as const)
      await expect(joinAs(name, text)).rejects.toMatchObject({ code: 'invite-invalid' });
    expect(manager.store.meta().revision).toBe(0);
    await joinAs('web1', string);
  });

  it('[4] refuses a join string that has expired', async () => {
    await manager.stop();
    const clock = createManualClock(Date.now());
    manager = await openManager(undefined, clock);
    const string = await manager.invite({ hours: 1 });
    await clock.advance(3_600_000);
    await expect(joinAs('web1', string)).rejects.toMatchObject({ code: 'invite-invalid' });
    expect(manager.store.view().Node.size).toBe(0);
  });

  it('[4] leaves what an operator declared of the node before', async () => {
    const spec = { roles: ['balancer'], address: '192.0.2.99', weight: 7 };
    const parsed = parseResource({ kind: 'Node', name: 'lb1', spec });
    if (!parsed.ok) throw new Error('the node is not right');
    await manager.store.write({ actor: 'op', edits: [{ op: 'put', resource: parsed.resource, where: '' }] });
    // Whoever was invited to be any web node must not become the balancer by its name.
    await expect(joinAs('lb1', await manager.invite({ roles: ['web'] }))).rejects.toMatchObject({
      code: 'join-waiting',
    });
    await joinAs('lb1', await manager.invite({ roles: ['web'], name: 'lb1' }));
    expect(await manager.node('lb1')).toMatchObject({ ...spec, paths: facts.paths });
  });

  it('[4] holds a known name with another key, with both fingerprints, and lets the box in under another name', async () => {
    await joinAs('web1', await manager.invite());
    const before = await manager.node('web1');
    const string = await manager.invite();
    const reinstalled = joinAs('web1', string, manager.box('reinstalled'));
    await expect(reinstalled).rejects.toMatchObject({
      code: 'identity-changed',
      message: expect.stringContaining(before?.identity?.key ?? '-'),
    });
    expect(manager.refused).toContainEqual({ node: 'web1', code: 'identity-changed' });
    expect(await manager.node('web1')).toEqual(before);
    await joinAs('web2', string, manager.box('reinstalled'));
  });

  it('[2.8] an uninvited caller stands in the events of no node, whatever name it gives', async () => {
    await joinAs('web1', await manager.invite());
    const csr = await requestFor('web1', await newKey());
    const uninvited = manager.join.join({ name: 'web1', secret: 'no.secret', csr, facts });
    await expect(uninvited).rejects.toMatchObject({ code: 'invite-invalid' });
    const forAnother = joinAs('web1', await manager.invite({ name: 'web2' }), manager.box('other'));
    await expect(forAnother).rejects.toMatchObject({ code: 'invite-invalid' });
    const refused = { node: undefined, code: 'invite-invalid' };
    expect(manager.refused).toEqual([refused, refused]);
  });

  it('[2.8] a join that a held manager cannot carry out, or cannot read, is no refusal of trust', async () => {
    const string = await manager.invite();
    const { secret } = JSON.parse(Buffer.from(string, 'base64url').toString()) as { secret: string };
    const join = (csr: string) => manager.join.join({ name: 'web1', secret, csr, facts });
    await expect(join('nothing')).rejects.toMatchObject({ code: 'csr-invalid' });
    await manager.store.hold('a test');
    const csr = await requestFor('web1', await newKey());
    await expect(join(csr)).rejects.toMatchObject({ code: 'manager-held' });
    expect(manager.refused).toEqual([]);
  });

  it('[4] goes on where a lost answer left it: the same key, and a new join string', async () => {
    const folder = manager.box('web1');
    await joinAs('web1', await manager.invite());
    await rm(pathOf(folder, 'cert.pem'));
    await joinAs('web1', await manager.invite());
    await expect(joinAs('web1', await manager.invite())).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('[2 bad input] an invite that no box could join with is refused when it is made: field, value and fix', async () => {
    const web = {
      role: 'web',
      inputs: { sites: { kind: 'Site' } },
      parameters: { workers: { type: 'integer', default: 1, maximum: 8 } },
      files: [{ template: 'a.hbs', path: 'a.conf' }],
    };
    const documents = [
      { kind: 'Template', name: 'a.hbs', spec: { syntax: 'plain', text: 'a' } },
      { kind: 'Policy', name: 'p', spec: web },
    ];
    const edits = documents.map((document) => {
      const parsed = parseResource(document);
      if (!parsed.ok) throw new Error('the document is not right');
      return { op: 'put' as const, resource: parsed.resource, where: '' };
    });
    await manager.store.write({ actor: 'op', edits });
    const refusal = (body: object) =>
      manager.invite(body).then(
        () => undefined,
        (err: EvenkeelError) => err.problems,
      );
    expect(await refusal({ roles: ['web'], parameters: { wokers: 2 } })).toEqual([
      {
        ...{ code: 'invalid-document', path: 'parameters/wokers', value: '2', fix: 'declared are: workers' },
        message: 'no policy of the roles of node that joins declares the parameter wokers',
      },
    ]);
    expect(await refusal({ name: 'web1', roles: ['web'], parameters: { workers: 'many' } })).toMatchObject([
      { path: 'parameters/workers', value: '"many"', fix: expect.stringContaining('evenkeel get Policy') },
    ]);
    expect(await refusal({ parameters: { workers: 2 } })).toMatchObject([{ path: 'parameters/workers' }]);
    await joinAs('web1', await manager.invite({ roles: ['web'], parameters: { workers: 2 } }));
    expect(await manager.node('web1')).toMatchObject({ roles: ['web'], parameters: { workers: 2 } });
    expect(
      await refusal({ name: 'web1', parameters: { nothing: 1 } }),
      'a known Node keeps its own',
    ).toBeUndefined();
  });

  it('[4] refuses facts that would break out of a file, and the invite stays open', async () => {
    const string = await manager.invite();
    const paths = { ...facts.paths, run: '/srv/run;rm' };
    const asked = join(string, { name: 'web1', facts: { ...facts, paths }, folder: manager.box('web1') });
    await expect(asked).rejects.toMatchObject({ code: 'invalid-document' });
    await joinAs('web1', string);
  });

  it('[4] says nothing to a man in the middle with another authority', async () => {
    const { folder, remove } = await temporaryFolder();
    const other = await createAuthority(folder);
    const seen: string[] = [];
    const { key, cert } = other.credentials.current();
    const middle = createServer({ key, cert }, (asked, answer) => {
      seen.push(asked.url ?? '');
      answer.end('{}');
    });
    await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', resolve));
    const parts = JSON.parse(Buffer.from(await manager.invite(), 'base64url').toString());
    const redirected = { ...parts, port: (middle.address() as AddressInfo).port };
    const string = Buffer.from(JSON.stringify(redirected)).toString('base64url');
    await expect(joinAs('web1', string)).rejects.toMatchObject({ code: 'manager-untrusted' });
    expect(seen).toEqual([]);
    middle.close();
    await remove();
  });

  it('[4] shows the fingerprint that the manager printed', async () => {
    const wanted = { roles: [], parameters: {}, hours: 1, approve: false };
    const { join: string, fingerprint } = await manager.join.invite(wanted, 'token:op');
    expect(parseJoinString(string).fingerprint).toBe(fingerprint);
  });
});

describe('renewal', () => {
  it('[4] happens at half life and not before, over the port that asks for the old certificate', async () => {
    await manager.stop();
    const clock = createManualClock(Date.now());
    manager = await openManager(undefined, clock);
    await joinAs('web1', await manager.invite());
    const identity = await openIdentity({ folder: manager.box('web1'), clock, log: quiet });
    const first = identity.expires();
    await clock.advance(15 * DAY - 60_000);
    expect(await identity.renewIfDue()).toBe(false);
    await clock.advance(60_000);
    expect(await identity.renewIfDue()).toBe(true);
    expect(identity.expires().getTime() - first.getTime()).toBeGreaterThan(14 * DAY);
    expect(await readFile(pathOf(manager.box('web1'), 'cert.pem'), 'utf8')).toBe(identity.current().cert);
    expect(manager.refusedPeers).toEqual([]);
    expect(await identity.renewIfDue()).toBe(false);
  });

  it('[5.1] happens at once when somebody asks for it', async () => {
    await joinAs('web1', await manager.invite());
    const identity = await openIdentity({ folder: manager.box('web1'), clock: systemClock, log: quiet });
    const { cert } = identity.current();
    await identity.renew();
    expect(identity.current().cert).not.toBe(cert);
    expect(await readFile(pathOf(manager.box('web1'), 'cert.pem'), 'utf8')).toBe(identity.current().cert);
  });

  it('[4] after expiry goes by proof with the old key, and the certificate works again', async () => {
    await manager.stop();
    manager = await openManager(2_000);
    await joinAs('web1', await manager.invite());
    const identity = await openIdentity({ folder: manager.box('web1'), clock: systemClock, log: quiet });
    const old = identity.current();
    await until('the certificate has expired', () => identity.expires().getTime() <= Date.now());
    await manager.pki.renewIfDue();
    await expect(askMachines(old)).rejects.toMatchObject({ code: 'node-unreachable' });
    expect(await identity.renewIfDue()).toBe(true);
    const { status } = await askMachines(identity.current());
    expect(status).toBe(404);
  });

  const askMachines = (tls: { key: string; cert: string; ca: string }) =>
    request({
      host: '127.0.0.1',
      port: manager.ports.machines,
      method: 'GET',
      path: '/v1/nothing',
      tls: { ...tls, ca: manager.pki.bundle() },
      timeout: 5_000,
    });

  it('[4] by proof is refused with another key, another authority, or for a removed node', async () => {
    await joinAs('web1', await manager.invite());
    const identity = await openIdentity({ folder: manager.box('web1'), clock: systemClock, log: quiet });
    const { cert } = identity.current();
    const stolen = await newKey();
    const ask = async (certificate: string, key: string) => {
      const csr = await requestFor('web1', key);
      const proof = sign('sha256', Buffer.from(csr), key).toString('base64');
      return manager.join.rejoin({ certificate, csr, proof });
    };
    await expect(ask(cert, stolen)).rejects.toMatchObject({ code: 'signature-invalid' });
    const { folder, remove } = await temporaryFolder();
    const other = await createAuthority(folder);
    const theirs = await other.issueNode('web1', await requestFor('web1', stolen));
    await expect(ask(theirs.certificate, stolen)).rejects.toMatchObject({ code: 'signature-invalid' });
    expect(manager.refused.at(-1), 'a stranger does not say whose certificate it is').toEqual({
      ...{ node: undefined, code: 'signature-invalid' },
    });
    await expect(ask('no certificate', stolen)).rejects.toMatchObject({ code: 'csr-invalid' });
    const again = await manager.pki.issueNode('web1', await requestFor('web1', stolen));
    await expect(ask(again.certificate, stolen)).rejects.toMatchObject({ code: 'identity-changed' });
    const name = 'web1';
    await manager.store.write({ actor: 'op', edits: [{ op: 'delete', kind: 'Node', name, where: '' }] });
    await expect(ask(cert, identity.current().key)).rejects.toMatchObject({ code: 'node-removed' });
    await remove();
  });
});
