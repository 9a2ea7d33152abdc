/** X.509 as the manager writes it: authorities, certificates for servers and nodes, and requests that are judged before they are signed. */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPair, randomBytes, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import * as x509 from '@peculiar/x509';
import { BACKDATED, keyFingerprint } from '../../common/certificates.ts';
import { EvenkeelError } from '../../protocol/errors.ts';

x509.cryptoProvider.set(webcrypto);

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
const AUTHORITY_LIFETIME = 10 * 365 * 86_400_000;

/** A certificate and its private key, both PEM. */
export interface Credential {
  certificate: string;
  key: string;
}

const generate = promisify(generateKeyPair);

async function newKeys(): Promise<{ key: string; spki: Buffer }> {
  const { privateKey, publicKey } = await generate('ec', { namedCurve: EC.namedCurve });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    spki: publicKey.export({ type: 'spki', format: 'der' }),
  };
}

const importKey = (pem: string) =>
  webcrypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
    EC,
    false,
    ['sign'],
  );

/** Positive, and unguessable. */
const newSerial = () => Buffer.concat([Buffer.from([0x01]), randomBytes(15)]).toString('hex');

const span = (now: number, lifetime: number) => ({
  notBefore: new Date(now - BACKDATED),
  notAfter: new Date(now + lifetime),
});

/** A new authority that vouches for itself. */
export async function makeAuthority(now: number): Promise<Credential> {
  const { key, spki } = await newKeys();
  const name = `CN=Evenkeel authority ${randomBytes(4).toString('hex')}`;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: name,
    issuer: name,
    ...span(now, AUTHORITY_LIFETIME),
    signingAlgorithm: SIGNATURE,
    signingKey: await importKey(key),
    publicKey: spki,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(spki),
    ],
  });
  return { certificate: certificate.toString('pem'), key };
}

interface Issue {
  authority: Credential;
  commonName: string;
  spki: Buffer;
  use: 'server' | 'client';
  names?: x509.JsonGeneralNames;
  now: number;
  lifetime: number;
}

/** Signs a certificate whose every field is ours; only the public key is the asker's. */
export async function issue({
  authority,
  commonName,
  spki,
  use,
  names = [],
  now,
  lifetime,
}: Issue): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const purpose = use === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [commonName] }],
    issuer: issuer.subject,
    ...span(now, lifetime),
    signingAlgorithm: SIGNATURE,
    signingKey: await importKey(authority.key),
    publicKey: spki,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([purpose]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return certificate.toString('pem');
}

/** A server's key and certificate, both new. */
export async function issueServer(
  authority: Credential,
  addresses: string[],
  now: number,
  lifetime: number,
): Promise<Credential> {
  const { key, spki } = await newKeys();
  const names: x509.JsonGeneralNames = [
    ...addresses.map((value) => ({ type: 'ip' as const, value })),
    { type: 'dns', value: 'localhost' },
  ];
  const certificate = await issue({
    authority,
    commonName: 'evenkeel manager',
    spki,
    use: 'server',
    names,
    now,
    lifetime,
  });
  return { certificate, key };
}

/**
 * Judges a request for a node's certificate and returns the public key in it, the only thing that is taken over,
 * with its fingerprint.
 * @throws EvenkeelError csr-invalid when it is for another name, is not P-256, or its signature does not hold
 */
export async function readRequest(pem: string, node: string): Promise<{ spki: Buffer; key: string }> {
  const request = parseRequest(pem);
  if (request.subject !== `CN=${node}`)
    throw new EvenkeelError('csr-invalid', `the request is for "${request.subject}", not for CN=${node}`);
  const spki = Buffer.from(request.publicKey.rawData);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new EvenkeelError('csr-invalid', 'the key of the request is not P-256');
  if (!(await request.verify()))
    throw new EvenkeelError('csr-invalid', 'the request is not signed by the key in it');
  return { spki, key: keyFingerprint(key) };
}

function parseRequest(pem: string): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new EvenkeelError('csr-invalid', 'this is not a certificate request', { cause });
  }
}
