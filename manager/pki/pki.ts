/** The manager's keys and certificates: the authority, the signing key of the cluster, the server's own certificate, and those of the nodes. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BACKDATED, LIFETIME, parseCertificate, renewalDue } from '../../common/certificates.ts';
import type { Clock } from '../../common/clock.ts';
import { sha256 } from '../../common/digest.ts';
import { seal } from '../../common/envelope.ts';
import { makeFolder, writeFileAtomic } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Envelope } from '../../protocol/messages.ts';
import {
  type Authority,
  addAuthority,
  readAuthorities,
  signerOf,
  successorDue,
  trustedOf,
} from './authorities.ts';
import { type Credential, issue, issueServer, readRequest } from './x509.ts';

/** What a TLS listener needs, PEM. */
export interface Credentials {
  key: string;
  cert: string;
  /** Every authority that is trusted now. */
  ca: string;
}

/** Credentials that change while listeners run. */
export interface LiveCredentials {
  current(): Credentials;
  onRenewed(listener: () => void): () => void;
}

export interface Issued {
  certificate: string;
  ca: string;
  serial: string;
  /** SHA-256 of the public key in the certificate. */
  key: string;
  issued: string;
  expires: string;
}

export interface Pki {
  credentials: LiveCredentials;
  /** The authorities that nodes should trust, PEM, one after the other. */
  bundle(): string;
  /** The certificate of the authority that signs now: base64 DER, as join strings carry it. */
  authority(): string;
  /** SHA-256 of that certificate, as people compare it. */
  fingerprint(): string;
  /** The cluster's public signing key, PEM. */
  signingKey: string;
  /** Signs a message to the nodes. */
  seal(message: unknown): Envelope;
  /**
   * Signs a text for others, base64. Never one that is JSON as a whole: nodes would take it for a message.
   */
  sign(text: string): string;
  /** SHA-256 of the public key of a node's request, once it is judged. @throws EvenkeelError csr-invalid */
  keyIn(node: string, csr: string): Promise<string>;
  /**
   * Signs a node's certificate after judging its request.
   * @param known the key that the node joined with; absent when it joins
   * @throws EvenkeelError csr-invalid, or identity-changed when the request is by another key
   */
  issueNode(node: string, csr: string, known?: string): Promise<Issued>;
  /** Whether one of our authorities, still trusted, signed this certificate. Its dates are not judged. */
  vouchesFor(certificate: string): boolean;
  /** Renews what has reached half of its life: the server's certificate, and the authority itself. */
  renewIfDue(): Promise<void>;
  /** Looks after renewal until its undo is called. */
  start(): () => void;
}

const SIGNING = 'signing.key';
const LOOK_EVERY = 3_600_000;

/** Makes the authority and the signing key where there are none yet; keeps what is there. */
export async function initPki({ folder, clock }: { folder: string; clock: Clock }): Promise<void> {
  await makeFolder(folder, 0o700);
  const missing = (path: string) =>
    access(path).then(
      () => false,
      () => true,
    );
  if (await missing(join(folder, 'authorities', '1.pem'))) await addAuthority(folder, clock.now());
  if (await missing(join(folder, SIGNING))) {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFileAtomic(join(folder, SIGNING), pem, { mode: 0o600 });
  }
}

export interface PkiOptions {
  folder: string;
  /** The cluster address: nodes verify the manager by it. */
  address: string;
  clock: Clock;
  log: Log;
  /** How long certificates hold, in milliseconds. */
  lifetime?: number;
}

/** Opens the keys that initPki made. @throws EvenkeelError store-damaged when they are not there */
export async function createPki({
  folder,
  address,
  clock,
  log,
  lifetime = LIFETIME,
}: PkiOptions): Promise<Pki> {
  const signing = await readSigningKey(folder);
  let authorities = await readAuthorities(folder).catch((cause: unknown) => damaged(folder, cause));
  const listeners = new Set<() => void>();
  const signer = (): Authority =>
    signerOf(authorities, clock.now(), lifetime) ?? damaged(folder, new Error('no valid authority'));
  const bundle = () =>
    trustedOf(authorities, clock.now())
      .map(({ certificate }) => `${certificate.trim()}\n`)
      .join('');
  const addresses = [...new Set([address, '127.0.0.1'])];
  const renewServer = () =>
    serverCredential({ folder, signer: signer(), addresses, now: clock.now(), lifetime });
  let server = await renewServer();

  const renew = async () => {
    if (successorDue(authorities, clock.now())) {
      await addAuthority(folder, clock.now());
      authorities = await readAuthorities(folder);
      log.info({}, 'a new authority is trusted from now on');
    }
    const before = `${server.certificate}${trusted}`;
    server = await renewServer();
    trusted = bundle();
    if (`${server.certificate}${trusted}` !== before) for (const listener of listeners) listener();
  };
  let trusted = bundle();
  let renewing: Promise<void> | undefined;
  /** One at a time, so that two never make an authority each. */
  const renewIfDue = () => {
    renewing ??= renew().finally(() => {
      renewing = undefined;
    });
    return renewing;
  };
  return {
    credentials: {
      current: () => ({ key: server.key, cert: server.certificate, ca: bundle() }),
      onRenewed: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    bundle,
    authority: () => parseCertificate(signer().certificate).raw.toString('base64'),
    fingerprint: () => sha256(parseCertificate(signer().certificate).raw),
    signingKey: createPublicKey(signing).export({ type: 'spki', format: 'pem' }) as string,
    seal: (message) => seal(message, signing),
    sign: (text) => sign(null, Buffer.from(text), signing).toString('base64'),
    keyIn: async (node, csr) => (await readRequest(csr, node)).key,
    issueNode: async (node, csr, known) => {
      const { spki, key } = await readRequest(csr, node);
      if (known !== undefined && known !== key)
        throw new EvenkeelError(
          'identity-changed',
          `node ${node} asks with the key ${key}, it joined with ${known}`,
        );
      const [now, use] = [clock.now(), 'client' as const];
      const certificate = await issue({ authority: signer(), commonName: node, spki, use, now, lifetime });
      const { serialNumber: serial } = parseCertificate(certificate);
      const [issued, expires] = [new Date(now).toISOString(), new Date(now + lifetime).toISOString()];
      return { certificate, ca: bundle(), serial, key, issued, expires };
    },
    vouchesFor: (certificate) => {
      const judged = parseCertificate(certificate);
      return trustedOf(authorities, clock.now()).some((authority) => {
        const issuer = parseCertificate(authority.certificate);
        return judged.checkIssued(issuer) && judged.verify(issuer.publicKey);
      });
    },
    renewIfDue,
    start: () =>
      clock.every(LOOK_EVERY, () => {
        renewIfDue().catch((err: unknown) => log.error({ err: messageOf(err) }, 'renewal failed'));
      }),
  };
}

function damaged(folder: string, cause: unknown): never {
  throw new EvenkeelError('store-damaged', `the keys in ${folder} cannot be read: ${messageOf(cause)}`, {
    cause,
  });
}

async function readSigningKey(folder: string): Promise<KeyObject> {
  try {
    return createPrivateKey(await readFile(join(folder, SIGNING), 'utf8'));
  } catch (cause) {
    return damaged(folder, cause);
  }
}

interface ServerNeeds {
  folder: string;
  signer: Authority;
  addresses: string[];
  now: number;
  lifetime: number;
}

/** The server's certificate on disk while it is good for these addresses and in its first half; else a new one, kept. */
async function serverCredential({
  folder,
  signer,
  addresses,
  now,
  lifetime,
}: ServerNeeds): Promise<Credential> {
  const file = join(folder, 'server.pem');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined && isGood(kept, signer, addresses, now)) return split(kept);
  const made = await issueServer(signer, addresses, now, lifetime);
  const text = `${made.certificate.trim()}\n${made.key}`;
  await writeFileAtomic(file, text, { mode: 0o600 });
  return split(text);
}

/** One file holds certificate and key, so that they are never of two minds. */
function split(pem: string): Credential {
  const at = pem.indexOf('-----BEGIN PRIVATE KEY-----');
  return { certificate: pem.slice(0, at), key: pem.slice(at) };
}

function isGood(pem: string, signer: Authority, addresses: string[], now: number): boolean {
  const certificate = parseCertificate(split(pem).certificate);
  const issuer = parseCertificate(signer.certificate);
  const [issued, ends] = [Date.parse(certificate.validFrom) + BACKDATED, Date.parse(certificate.validTo)];
  return (
    certificate.verify(issuer.publicKey) &&
    !renewalDue({ issued, ends }, now) &&
    addresses.every((address) => certificate.checkIP(address) !== undefined)
  );
}
