/** How a box becomes a node: one-time join strings, and the way back for a node whose certificate has expired. */
import { randomBytes, timingSafeEqual, verify, type X509Certificate } from 'node:crypto';
import { bearerOf, parseCertificate } from '../common/certificates.ts';
import { type Clock, moment } from '../common/clock.ts';
import { sha256 } from '../common/digest.ts';
import type { Log } from '../common/log.ts';
import type { AnswerOf, BodyOf } from '../protocol/endpoints.ts';
import { type ErrorCode, EvenkeelError } from '../protocol/errors.ts';
import type { JoinString } from '../protocol/messages.ts';
import { parseResource, type ResourceOf } from '../protocol/resource.ts';
import type { NodeSpec } from '../protocol/resources/node.ts';

/** An invite as it is kept: the secret itself is nowhere. */
export interface Invite {
  id: string;
  /** SHA-256 of the secret. */
  hash: string;
  expires: string;
  roles: string[];
  name?: string | undefined;
  parameters: Record<string, unknown>;
}

/** What joining needs of the store. */
export interface JoinStore {
  invites: {
    add(invite: Invite): Promise<void>;
    /** Undefined when it is unknown, used or expired. */
    get(id: string): Invite | undefined;
  };
  certificates: { add(record: Omit<Issued, 'certificate' | 'ca'> & { node: string }): Promise<void> };
  get(kind: 'Node', name: string): Promise<{ revision: number; spec: NodeSpec } | undefined>;
  /** What `write` would say, without writing. @throws EvenkeelError with every problem */
  judge(request: Pick<Write, 'actor' | 'edits'>): Promise<unknown>;
  /** Writes the Node and uses up the invite, both or neither. @throws EvenkeelError invite-invalid, stale-revision */
  write(request: Write): Promise<unknown>;
}

interface Write {
  actor: string;
  edits: { op: 'put'; resource: ResourceOf<'Node'>; where: string; ifMatch: number }[];
  invite: string;
}

/** A certificate as the authority gives it out. */
interface Issued {
  certificate: string;
  ca: string;
  serial: string;
  key: string;
  issued: string;
  expires: string;
}

export interface JoinOptions {
  store: JoinStore;
  pki: {
    authority(): string;
    fingerprint(): string;
    bundle(): string;
    signingKey: string;
    issueNode(node: string, csr: string, known?: string): Promise<Issued>;
    vouchesFor(certificate: string): boolean;
  };
  /** The id of the cluster, and where nodes find the manager. */
  cluster: string;
  address: string;
  ports: { api: number; machines: number; broker: number };
  /** Hears of every refusal of trust: of which node, as far as it has shown that, why, and to which address. */
  refused: (node: string | undefined, reason: EvenkeelError, from?: string) => void;
  clock: Clock;
  log: Log;
}

export interface Certified {
  certificate: string;
  ca: string;
}

export interface Join {
  /** @throws EvenkeelError with every problem that the box would meet when it joins */
  invite(wanted: BodyOf<'invite'>): Promise<AnswerOf<'invite'>>;
  /** @throws EvenkeelError invite-invalid, identity-changed, csr-invalid, invalid-document */
  join(request: BodyOf<'join'>, from?: string): Promise<AnswerOf<'join'>>;
  /** For a node that has shown its valid certificate. @throws EvenkeelError identity-changed, csr-invalid */
  renew(node: string, csr: string): Promise<Certified>;
  /** For a node whose certificate has expired. @throws EvenkeelError signature-invalid, forbidden, identity-changed, csr-invalid */
  rejoin(request: BodyOf<'rejoin'>, from?: string): Promise<Certified>;
}

/** Refusals of trust. That the manager is busy or held, or a request cannot be read, says nothing of who asks. */
const distrust = new Set<ErrorCode>(['invite-invalid', 'identity-changed', 'signature-invalid', 'forbidden']);

export function createJoin(options: JoinOptions): Join {
  const { refused } = options;
  const heard = async <T>(node: string | undefined, work: Promise<T>, from?: string): Promise<T> => {
    try {
      return await work;
    } catch (err) {
      // Whoever shows no valid invite may claim any name, and it is nobody's then.
      if (err instanceof EvenkeelError && distrust.has(err.code))
        refused(err.code === 'invite-invalid' ? undefined : node, err, from);
      throw err;
    }
  };
  return {
    invite: (wanted) => invite(options, wanted),
    join: (request, from) => heard(request.name, join(options, request), from),
    renew: (node, csr) => heard(node, renew(options, node, csr)),
    rejoin: async (request, from) => {
      // Until the authority vouches for it, a certificate says nothing, not even whose it is.
      const { certificate, node } = await heard(undefined, vouched(options, request.certificate), from);
      return heard(node, rejoin(options, node, certificate, request), from);
    },
  };
}

async function invite(options: JoinOptions, wanted: BodyOf<'invite'>) {
  const { store, pki, clock, address, ports } = options;
  await tryInvite(store, wanted);
  const [id, secret] = [randomBytes(9).toString('base64url'), randomBytes(24).toString('base64url')];
  const expires = new Date(clock.now() + wanted.hours * 3_600_000).toISOString();
  const { roles, name, parameters } = wanted;
  await store.invites.add({ id, hash: sha256(secret), expires, roles, name, parameters });
  const string: JoinString = {
    address,
    port: ports.api,
    ca: pki.authority(),
    secret: `${id}.${secret}`,
    expires,
  };
  const encoded = Buffer.from(JSON.stringify(string)).toString('base64url');
  return { join: encoded, expires, fingerprint: pki.fingerprint() };
}

const FIX = 'see what the policies of these roles declare: `evenkeel get Policy`';

/** Judges the Node that the box would become: what does not fit is said to the operator now, not to the box then. */
async function tryInvite(
  store: JoinStore,
  { name: wanted, roles, parameters }: BodyOf<'invite'>,
): Promise<void> {
  const name = wanted ?? `invited-${randomBytes(6).toString('hex')}`;
  // A known Node keeps its own roles and parameters.
  if (await store.get('Node', name)) return;
  const spec = { roles, parameters, address: '192.0.2.1' };
  const resource = nodeFrom(name, spec, 'the invite does not fit');
  try {
    await store.judge({ actor: 'invite', edits: [{ op: 'put', resource, where: '', ifMatch: 0 }] });
  } catch (err) {
    if (!(err instanceof EvenkeelError)) throw err;
    const problems = err.problems.map(({ fix = FIX, message, ...problem }) => ({
      ...{ ...problem, fix, path: problem.path.replace(/^spec\//, '') },
      message: wanted === undefined ? message.replaceAll(name, 'that joins') : message,
    }));
    const [first] = problems;
    const detail = first === undefined ? err.message : `${first.path}: ${first.message}`;
    throw new EvenkeelError(err.code, detail, { problems, cause: err });
  }
}

async function join(options: JoinOptions, request: BodyOf<'join'>): Promise<AnswerOf<'join'>> {
  const { store, pki, cluster, ports, clock, log } = options;
  const { name, csr, facts } = request;
  const invite = inviteFor(store, request.secret, name, clock.now());
  const known = await store.get('Node', name);
  const issued = await pki.issueNode(name, csr, known?.spec.identity?.key);
  const resource = nodeOf(name, invite, known?.spec, facts, { key: issued.key, joined: moment(clock) });
  await store.write({
    actor: `join:${name}`,
    edits: [{ op: 'put', resource, where: 'node', ifMatch: known?.revision ?? 0 }],
    invite: invite.id,
  });
  await record(store, name, issued);
  log.info({ node: name, key: issued.key }, 'node joined');
  return {
    node: name,
    certificate: issued.certificate,
    ca: issued.ca,
    cluster,
    signingKey: pki.signingKey,
    ports: { machines: ports.machines, broker: ports.broker },
  };
}

/** The invite that a secret opens. What is wrong with it is not told apart to the one who asks. */
function inviteFor(store: JoinStore, secret: string, name: string, now: number): Invite {
  const [id = '', rest = ''] = secret.split('.');
  const invite = store.invites.get(id);
  const given = Buffer.from(sha256(rest), 'hex');
  if (
    !invite ||
    !timingSafeEqual(Buffer.from(invite.hash, 'hex'), given) ||
    Date.parse(invite.expires) <= now
  )
    throw new EvenkeelError('invite-invalid', 'this join string opens nothing, or no longer');
  if (invite.name !== undefined && invite.name !== name)
    throw new EvenkeelError('invite-invalid', `this join string is for another name than ${name}`);
  return invite;
}

/** The Node once the box has joined: what an operator has declared stays; the box says where it keeps its files. */
function nodeOf(
  name: string,
  { roles, parameters }: Invite,
  known: NodeSpec | undefined,
  { address, paths }: BodyOf<'join'>['facts'],
  identity: { key: string; joined: string },
): ResourceOf<'Node'> {
  const spec = known ? { ...known, paths, identity } : { roles, parameters, address, paths, identity };
  return nodeFrom(name, spec, 'what the box says of itself does not fit');
}

function nodeFrom(name: string, spec: object, refusal: string): ResourceOf<'Node'> {
  const parsed = parseResource({ kind: 'Node', name, spec }, 'node');
  if (parsed.ok) return parsed.resource as ResourceOf<'Node'>;
  throw new EvenkeelError('invalid-document', refusal, parsed);
}

const record = (store: JoinStore, node: string, { serial, key, issued, expires }: Issued) =>
  store.certificates.add({ node, serial, key, issued, expires });

async function renew({ store, pki, log }: JoinOptions, node: string, csr: string): Promise<Certified> {
  const known = (await store.get('Node', node))?.spec.identity?.key;
  if (known === undefined) throw new EvenkeelError('forbidden', `node ${node} is unknown or was removed`);
  const issued = await pki.issueNode(node, csr, known);
  await record(store, node, issued);
  log.info({ node, expires: issued.expires }, 'certificate renewed');
  return { certificate: issued.certificate, ca: issued.ca };
}

async function vouched({ pki }: JoinOptions, pem: string) {
  const certificate = parseCertificate(pem);
  if (pki.vouchesFor(certificate.toString())) return { certificate, node: bearerOf(certificate).node };
  throw new EvenkeelError('signature-invalid', 'the certificate is not by an authority of this cluster');
}

/** A new certificate against a proof that the node still has the key of the old one. */
async function rejoin(
  options: JoinOptions,
  node: string,
  certificate: X509Certificate,
  { csr, proof }: BodyOf<'rejoin'>,
): Promise<Certified> {
  if (!verify('sha256', Buffer.from(csr), certificate.publicKey, Buffer.from(proof, 'base64')))
    throw new EvenkeelError('signature-invalid', 'the proof is not by the key of the certificate');
  return renew(options, node, csr);
}
