/** Who this box is: its key and certificate on disk, how it joined, and how it stays a member. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join as pathOf } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { bearerOf, keyFingerprint, parseCertificate, renewalDue } from '../common/certificates.ts';
import type { Clock } from '../common/clock.ts';
import { sha256 } from '../common/digest.ts';
import { makeFolder, writeFileAtomic } from '../common/files.ts';
import type { Log } from '../common/log.ts';
import { type Answered, type Call, refusalIn, request } from '../common/request.ts';
import { api } from '../protocol/endpoints.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { machines } from '../protocol/machines.ts';
import { type Facts, JoinString } from '../protocol/messages.ts';
import { Name, Port, Strict } from '../protocol/values.ts';
import { newKey, requestFor } from './identity/csr.ts';

/** What the box remembers of the manager it joined. */
const Membership = Strict({
  node: Name,
  cluster: Type.String(),
  address: Type.String(),
  ports: Strict({ api: Port, machines: Port, broker: Port }),
});
export type Membership = Static<typeof Membership>;

export interface Identity extends Membership {
  /** The cluster's public key, by which heads are believed. */
  signingKey: KeyObject;
  /** What a TLS connection to the manager needs now, PEM. */
  current(): { key: string; cert: string; ca: string };
  /** When the certificate ends. */
  expires(): Date;
  /** Gets the next certificate when half the life of this one is over. True when there is a new one. */
  renewIfDue(): Promise<boolean>;
  /** Gets the next certificate now. */
  renew(): Promise<void>;
  /** Looks after renewal until its undo is called. @param failed hears when the manager gave none */
  start(failed?: () => void): () => void;
}

const isJoinString = Compile(JoinString);
const isMembership = Compile(Membership);
const isJoined = Compile(api.join.answer);
const isRenewed = Compile(machines.renew.answer);
const TIMEOUT_MS = 15_000;
const LOOK_EVERY = 3_600_000;

const files = (folder: string) => ({
  key: pathOf(folder, 'key.pem'),
  certificate: pathOf(folder, 'cert.pem'),
  ca: pathOf(folder, 'ca.pem'),
  cluster: pathOf(folder, 'cluster.pub'),
  membership: pathOf(folder, 'manager.json'),
});

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Reads what `evenkeel node invite` printed. @throws EvenkeelError invite-invalid */
export function parseJoinString(text: string): JoinString & { fingerprint: string } {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text.trim(), 'base64url').toString());
    if (isJoinString.Check(parsed)) {
      const ca = parseCertificate(Buffer.from(parsed.ca, 'base64'));
      return { ...parsed, fingerprint: sha256(ca.raw) };
    }
  } catch {
    // No JSON, or no certificate in it: said below, in the same words as a wrong shape.
  }
  throw new EvenkeelError('invite-invalid', 'this is not a join string; copy it whole');
}

export interface JoinRequest {
  name: string;
  facts: Facts;
  /** Where key and certificates are kept: `<state>/identity`. */
  folder: string;
}

/**
 * The fingerprint of this box's own key, which is made where there is none yet.
 * @throws EvenkeelError already-exists when the box is a member
 */
export async function ownKey(folder: string): Promise<string> {
  const at = files(folder);
  if (await exists(at.certificate))
    throw new EvenkeelError('already-exists', `this box has joined already; its identity is in ${folder}`);
  await makeFolder(folder, 0o700);
  return keyFingerprint(createPublicKey(await keptKey(at.key)));
}

/**
 * Joins a cluster. The first connection is verified already, by the authority in the join string.
 * The key is kept before it is used, so that joining again after a lost answer is the same box.
 * @throws EvenkeelError already-exists when the box is a member, manager-untrusted, or what the manager refuses
 */
export async function join(joinString: string, { name, facts, folder }: JoinRequest): Promise<Membership> {
  const invite = parseJoinString(joinString);
  const at = files(folder);
  await ownKey(folder);
  const key = await keptKey(at.key);
  const ca = parseCertificate(Buffer.from(invite.ca, 'base64')).toString();
  const body = { secret: invite.secret, name, csr: await requestFor(name, key), facts };
  const { host, port } = { host: invite.address, port: invite.port };
  const answer = await request({ ...post(api.join.path, body), host, port, tls: { ca } }).catch(
    (err: unknown): never => {
      throw distrust(err) ? untrusted(`${host}:${port}`, err) : err;
    },
  );
  const joined = checked(answer, isJoined);
  const membership: Membership = {
    node: joined.node,
    cluster: joined.cluster,
    address: invite.address,
    ports: { ...joined.ports, api: invite.port },
  };
  await writeFileAtomic(at.ca, joined.ca, { mode: 0o600 });
  await writeFileAtomic(at.cluster, joined.signingKey, { mode: 0o600 });
  await writeFileAtomic(at.membership, `${JSON.stringify(membership, null, 2)}\n`, { mode: 0o600 });
  // Last, since a box with a certificate is a member.
  await writeFileAtomic(at.certificate, joined.certificate, { mode: 0o600 });
  return membership;
}

/** What TLS says of a certificate that is not by the authority, or for another address. That it has expired may be the clock. */
const distrust = (err: unknown): boolean => {
  const { code = '' } = ((err as Error).cause ?? {}) as NodeJS.ErrnoException;
  return /SELF_SIGNED|SIGNATURE|ISSUER|ALTNAME|UNTRUSTED/.test(code);
};

const untrusted = (where: string, cause: unknown) =>
  new EvenkeelError(
    'manager-untrusted',
    `what answers at ${where} has no certificate by the authority in the join string: somebody stands between, ` +
      "or the string was altered or is of another manager. Nothing was sent. Compare the fingerprint with the manager's, " +
      'and ask for a new string: evenkeel node invite',
    { cause },
  );

async function keptKey(path: string): Promise<string> {
  if (!(await exists(path))) await writeFileAtomic(path, await newKey(), { mode: 0o600 });
  return readFile(path, 'utf8');
}

const post = (path: string, body: unknown) =>
  ({ method: 'POST', path, body, timeout: TIMEOUT_MS, limit: 1024 * 1024 }) as const;

function checked<T>(answer: Answered, shape: { Check(value: unknown): value is T }): T {
  if (answer.status !== 200) throw refusalIn(answer);
  if (shape.Check(answer.body)) return answer.body;
  throw new EvenkeelError('bad-request', 'the answer of the manager cannot be understood');
}

export interface IdentityOptions {
  folder: string;
  clock: Clock;
  log: Log;
}

/** Opens the identity of a box that has joined. @throws EvenkeelError not-found when it has not */
export async function openIdentity({ folder, clock, log }: IdentityOptions): Promise<Identity> {
  const at = files(folder);
  if (!(await exists(at.certificate)))
    throw new EvenkeelError('not-found', `there is no identity in ${folder}; join first`);
  const membership: unknown = JSON.parse(await readFile(at.membership, 'utf8'));
  if (!isMembership.Check(membership))
    throw new EvenkeelError('invalid-document', `${at.membership} is not right`);
  const signingKey = createPublicKey(await readFile(at.cluster, 'utf8'));
  const key = await readFile(at.key, 'utf8');
  let [cert, ca] = [await readFile(at.certificate, 'utf8'), await readFile(at.ca, 'utf8')];
  const bearer = () => bearerOf(parseCertificate(cert));

  const keep = async (renewed: { certificate: string; ca: string }) => {
    await writeFileAtomic(at.ca, renewed.ca, { mode: 0o600 });
    await writeFileAtomic(at.certificate, renewed.certificate, { mode: 0o600 });
    [cert, ca] = [renewed.certificate, renewed.ca];
    log.info(
      { node: membership.node, expires: new Date(bearer().ends).toISOString() },
      'certificate renewed',
    );
  };
  const renew = async () => {
    const csr = await requestFor(membership.node, key);
    await keep(await renewal(membership, { key, cert, ca }, csr, bearer().ends > clock.now(), log));
  };
  const renewIfDue = async () => {
    if (!renewalDue(bearer(), clock.now())) return false;
    await renew();
    return true;
  };
  return {
    ...membership,
    signingKey,
    current: () => ({ key, cert, ca }),
    expires: () => new Date(bearer().ends),
    renewIfDue,
    renew,
    start: (failed = () => undefined) => {
      const { issued, ends } = bearer();
      const look = () =>
        renewIfDue().catch((err: unknown) => {
          log.error({ node: membership.node, err: messageOf(err) }, 'certificate was not renewed');
          failed();
        });
      void look();
      return clock.every(Math.min(LOOK_EVERY, (ends - issued) / 20), () => void look());
    },
  };
}

/** By the certificate while it holds; else, or when the manager's clock thinks otherwise, by proof that we still have its key. */
async function renewal(
  { address, ports }: Membership,
  tls: { key: string; cert: string; ca: string },
  csr: string,
  holds: boolean,
  log: Log,
) {
  const ask = async (call: Pick<Call, 'method' | 'path' | 'body' | 'timeout' | 'limit' | 'port' | 'tls'>) =>
    checked(await request({ ...call, host: address }), isRenewed);
  if (holds) {
    try {
      return await ask({ ...post(machines.renew.path, { csr }), port: ports.machines, tls });
    } catch (err) {
      log.warn({ err: messageOf(err) }, 'renewal by certificate was refused; trying by proof');
    }
  }
  const proof = sign('sha256', Buffer.from(csr), tls.key).toString('base64');
  const body = { certificate: tls.cert, csr, proof };
  return ask({ ...post(api.rejoin.path, body), port: ports.api, tls: { ca: tls.ca } });
}
