/** The authority: what it signs, what it refuses to sign, and how its own certificates follow each other. */
import 'reflect-metadata';
import { createPublicKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newKey, requestFor } from '../../agent/identity/csr.ts';
import { bearerOf, keyFingerprint, parseCertificate, renewalDue } from '../../common/certificates.ts';
import { open } from '../../common/envelope.ts';
import { createPki, initPki, type Pki } from '../../manager/pki/pki.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { createAuthority, quiet, temporaryFolder } from '../support/courier.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 21, 9);

let clock: ManualClock;
let folder: string;
let remove: () => Promise<void>;
let pki: Pki;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  clock = createManualClock(START);
  pki = await createAuthority(join(folder, 'pki'), clock);
});
afterEach(() => remove());

const reopen = () => createPki({ folder: join(folder, 'pki'), address: '127.0.0.1', clock, log: quiet });

describe('certificates of nodes', () => {
  it('[4] name the node, are for clients alone, begin a day early and last 30 days', async () => {
    const key = await newKey();
    const issued = await pki.issueNode('web1', await requestFor('web1', key));
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.subject).toBe('CN=web1');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    expect(Date.parse(certificate.validFrom)).toBe(START - DAY);
    expect(Date.parse(certificate.validTo)).toBe(START + 30 * DAY);
    expect(issued.key).toBe(keyFingerprint(createPublicKey(key)));
    expect(certificate.verify(new X509Certificate(pki.bundle()).publicKey)).toBe(true);
  });

  it('[4] are not given for another name than the request says', async () => {
    const csr = await requestFor('web2', await newKey());
    await expect(pki.issueNode('web1', csr)).rejects.toMatchObject({ code: 'csr-invalid' });
  });

  it('[4] take nothing from a request but its key', async () => {
    const keys = (await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const greedy = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=web1',
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        new x509.BasicConstraintsExtension(true, 3, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
      ],
    });
    const { certificate } = await pki.issueNode('web1', greedy.toString('pem'));
    const read = new X509Certificate(certificate);
    expect([read.ca, read.subjectAltName, read.keyUsage]).toEqual([false, undefined, ['1.3.6.1.5.5.7.3.2']]);
  });

  it('[4] are refused for names with more parts, other curves, broken signatures and nonsense', async () => {
    const good = await requestFor('web1', await newKey());
    const two = await requestFor('web1+O=admins', await newKey());
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const curve = requestFor('web1', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    const bytes = Buffer.from(good.replace(/-----.*-----|\s/g, ''), 'base64');
    bytes[bytes.length - 2]! ^= 1;
    const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    await expect(curve).rejects.toThrow();
    for (const csr of [two, broken, 'nonsense', ''])
      await expect(pki.issueNode('web1', csr)).rejects.toMatchObject({ code: 'csr-invalid' });
  });

  it('[4] are renewed for the key that joined, and for no other', async () => {
    const key = await newKey();
    const first = await pki.issueNode('web1', await requestFor('web1', key));
    await expect(pki.issueNode('web1', await requestFor('web1', key), first.key)).resolves.toMatchObject({
      key: first.key,
    });
    await expect(
      pki.issueNode('web1', await requestFor('web1', await newKey()), first.key),
    ).rejects.toMatchObject({ code: 'identity-changed' });
  });

  it('[4] are due at half of their life, to the hour', async () => {
    const { certificate } = await pki.issueNode('web1', await requestFor('web1', await newKey()));
    const bearer = bearerOf(parseCertificate(certificate));
    expect(renewalDue(bearer, START + 15 * DAY - 1000)).toBe(false);
    expect(renewalDue(bearer, START + 15 * DAY)).toBe(true);
  });
});

describe('the server certificate', () => {
  const serverOf = (of: Pki) => new X509Certificate(of.credentials.current().cert);

  it('[4] is good for the cluster address, 127.0.0.1 and localhost, and stays over a restart', async () => {
    const options = { folder: join(folder, 'pki'), address: '192.0.2.7', clock, log: quiet };
    const there = await createPki(options);
    const certificate = serverOf(there);
    expect(certificate.checkIP('192.0.2.7')).toBe('192.0.2.7');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(serverOf(await createPki(options)).serialNumber).toBe(certificate.serialNumber);
  });

  it('[4] is renewed at half of its life, and the listeners are told', async () => {
    let told = 0;
    pki.credentials.onRenewed(() => {
      told += 1;
    });
    const stop = pki.start();
    const before = serverOf(pki).serialNumber;
    await clock.advance(15 * DAY - 3_600_000);
    await pki.renewIfDue();
    expect([serverOf(pki).serialNumber, told]).toEqual([before, 0]);
    await clock.advance(2 * 3_600_000);
    await expect.poll(() => serverOf(pki).serialNumber).not.toBe(before);
    expect(told).toBe(1);
    stop();
  });
});

describe('keys', () => {
  it('[4] lie in folders and files that only their owner can read', async () => {
    const root = join(folder, 'pki');
    expect((await stat(root)).mode & 0o777).toBe(0o700);
    for (const file of (await readdir(root, { recursive: true })).map((name) => join(root, name))) {
      const found = await stat(file);
      expect([file, found.mode & 0o777]).toEqual([file, found.isDirectory() ? 0o700 : 0o600]);
    }
  });

  it('[4] are made once: a second start keeps them, and a start without them refuses', async () => {
    const before = await readFile(join(folder, 'pki', 'signing.key'), 'utf8');
    await initPki({ folder: join(folder, 'pki'), clock });
    expect(await readFile(join(folder, 'pki', 'signing.key'), 'utf8')).toBe(before);
    expect((await reopen()).fingerprint()).toBe(pki.fingerprint());
    const elsewhere = { folder: join(folder, 'nothing'), address: '127.0.0.1', clock, log: quiet };
    await expect(createPki(elsewhere)).rejects.toMatchObject({ code: 'store-damaged' });
  });

  it('[4] sign what nodes can verify, and nothing else passes', () => {
    const key = createPublicKey(pki.signingKey);
    const isText = (value: unknown): value is { text: string } => typeof value === 'object';
    const envelope = pki.seal({ text: 'all is well' });
    expect(open(envelope, key, isText)).toEqual({ text: 'all is well' });
    const forged = { ...envelope, p: JSON.stringify({ text: 'all is lost' }) };
    expect(() => open(forged, key, isText)).toThrow(expect.objectContaining({ code: 'signature-invalid' }));
  });
});

describe('two authorities', () => {
  const YEAR = 365 * DAY;

  it('[4] overlap: the successor is trusted at once and signs only when every node carries it', async () => {
    const node = await pki.issueNode('web1', await requestFor('web1', await newKey()));
    const first = pki.fingerprint();
    await clock.advance(5 * YEAR);
    await pki.renewIfDue();
    expect(pki.bundle().match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(pki.fingerprint()).toBe(first);

    await clock.advance(30 * DAY);
    await pki.renewIfDue();
    expect(pki.fingerprint()).not.toBe(first);
    expect(pki.vouchesFor(node.certificate)).toBe(true);
    expect(pki.vouchesFor(pki.credentials.current().cert)).toBe(true);
    expect((await reopen()).fingerprint()).toBe(pki.fingerprint());

    await clock.advance(5 * YEAR);
    expect(pki.bundle().match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    expect(pki.vouchesFor(node.certificate)).toBe(false);
  });
});
