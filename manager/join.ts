/** How a box becomes a node: one-time join strings, an operator's word where it is needed, and the way back for a node whose certificate has expired. */
import { verify, type X509Certificate } from 'node:crypto';
import { bearerOf, parseCertificate } from '../common/certificates.ts';
import { moment } from '../common/clock.ts';
import { readable } from '../common/fingerprint.ts';
import type { Claim, Invite } from '../common/invite.ts';
import { wasRemoved } from '../common/removal.ts';
import type { AnswerOf, BodyOf } from '../protocol/endpoints.ts';
import { type ErrorCode, EvenkeelError } from '../protocol/errors.ts';
import type { InviteView, WaitingView } from '../protocol/joining.ts';
import type { Facts } from '../protocol/messages.ts';
import type { Verdict } from '../protocol/preflight.ts';
import type { NodeSpec } from '../protocol/resources/node.ts';
import { invite, inviteView, openedBy, refuseMisfit, revoke } from './join/invites.ts';
import type { Issued, JoinOptions, JoinStore, Subject } from './join/kept.ts';
import { nodeOf } from './join/node.ts';
import { claimed, createQueue, inUse, type Queue } from './join/queue.ts';

export type { JoinOptions, JoinStore } from './join/kept.ts';

export interface Certified {
  certificate: string;
  ca: string;
}

export interface Join extends Pick<Queue, 'accept' | 'refuse' | 'trust'> {
  /** @throws EvenkeelError with every problem that the box would meet when it joins */
  invite(wanted: BodyOf<'invite'>, by: string): Promise<AnswerOf<'invite'>>;
  /** Oldest first. */
  invites(): InviteView[];
  /** @throws EvenkeelError not-found */
  uninvite(id: string, by: string): Promise<InviteView>;
  /** Who waits for an operator. */
  waiting(): WaitingView[];
  /**
   * @throws EvenkeelError invite-invalid, join-refused, join-waiting, identity-changed, name-in-use, identity-copied,
   * preflight-failed, csr-invalid, invalid-document
   */
  join(request: BodyOf<'join'>, from?: string): Promise<AnswerOf<'join'>>;
  /** What a box is told that has not joined yet. Its invitation stays as it is. @throws EvenkeelError invite-invalid, join-refused */
  preflight(request: BodyOf<'preflight'>, from?: string): Promise<Verdict>;
  /** For a node that has shown its valid certificate. @throws EvenkeelError identity-changed, csr-invalid */
  renew(node: string, csr: string): Promise<Certified>;
  /** For a node that goes by itself. @throws EvenkeelError where data or services hang on it */
  leave(node: string): Promise<void>;
  /** For a node whose certificate has expired. @throws EvenkeelError signature-invalid, forbidden, node-removed, identity-changed, csr-invalid */
  rejoin(request: BodyOf<'rejoin'>, from?: string): Promise<Certified>;
}

/** Refusals of trust. That the manager is busy or held, or a request cannot be read, says nothing of who asks. */
const distrust = new Set<ErrorCode>([
  ...(['invite-invalid', 'identity-changed', 'signature-invalid', 'forbidden'] as const),
  ...(['join-refused', 'name-in-use', 'identity-copied', 'node-removed'] as const),
]);

export function createJoin(options: JoinOptions): Join {
  const { refused, store, clock } = options;
  const queue = createQueue(options);
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
    invite: (wanted, by) => invite(options, wanted, by),
    invites: () => store.invites.list().map((one) => inviteView(one, clock.now())),
    uninvite: (id, by) => revoke(options, id, { by, refused: false }),
    waiting: queue.list,
    accept: queue.accept,
    refuse: queue.refuse,
    trust: queue.trust,
    join: (request, from) => heard(request.name, join(options, queue, request, from), from),
    preflight: (request, from) => heard(undefined, preflight(options, request, from), from),
    renew: (node, csr) => heard(node, renew(options, node, csr)),
    leave: (node) => leave(options, node),
    rejoin: async (request, from) => {
      // Until the authority vouches for it, a certificate says nothing, not even whose it is.
      const { certificate, node } = await heard(undefined, vouched(options, request.certificate), from);
      return heard(node, rejoin(options, node, certificate, request), from);
    },
  };
}

async function join(
  options: JoinOptions,
  queue: Queue,
  { secret, name, csr, facts }: BodyOf<'join'>,
  from: string | undefined,
): Promise<AnswerOf<'join'>> {
  const { store, pki, cluster, ports, clock, log } = options;
  const invitation = openedBy(store, secret);
  const key = await pki.keyIn(name, csr);
  refuseMisfit(invitation, { name, key, from, now: clock.now() });
  const known = store.view().Node.get(name);
  const trusted = known?.spec.identity;
  const { claim } = invitation;
  if (claim?.state === 'joined' && (claim.node !== name || trusted?.key !== key))
    throw new EvenkeelError('invite-invalid', `this join string was used at ${claim.at} for ${claim.node}`);
  refuseCopy(store, name, key);
  options.preflight.refuse(subjectOf(name, invitation, known?.spec, facts));
  // A second answer to the same box is no second join.
  const identity = claim && trusted?.key === key ? trusted : { key, joined: moment(clock) };
  const resource = nodeOf(name, invitation, known?.spec, facts, identity);
  const box = { node: name, key, from: from ?? 'an unknown address', facts };
  if (trusted && trusted.key !== key) {
    await queue.keep(invitation, { ...box, state: 'identity' });
    throw changed(options, name, { key, known: trusted.key, from });
  }
  if (!trusted && (needsApproval(store, invitation) || wouldGain(invitation, known?.spec))) {
    await queue.keep(invitation, { ...box, state: 'approval' });
    throw new EvenkeelError(
      'join-waiting',
      `an operator has to accept the box: evenkeel node accept ${name}`,
    );
  }
  const issued = await pki.issueNode(name, csr, trusted?.key);
  const joined: Claim = { ...box, state: 'joined', at: moment(clock) };
  await store.write({
    actor: `join:${name}`,
    edits: [{ op: 'put', resource, where: 'node', ifMatch: known?.revision ?? 0 }],
    invite: { id: invitation.id, change: (now) => claimed(now, joined) },
  });
  await record(store, name, issued);
  log.info({ node: name, key }, 'node joined');
  return {
    node: name,
    certificate: issued.certificate,
    ca: issued.ca,
    cluster,
    signingKey: pki.signingKey,
    ports: { machines: ports.machines, broker: ports.broker },
  };
}

async function preflight(
  { store, clock, preflight: { verdict } }: JoinOptions,
  { secret, name, facts, listens }: BodyOf<'preflight'>,
  from: string | undefined,
): Promise<Verdict> {
  const invitation = openedBy(store, secret);
  // It shows no key yet: whichever has used the invitation may look again.
  refuseMisfit(invitation, { name, key: invitation.claim?.key ?? '', from, now: clock.now() });
  const subject = subjectOf(name, invitation, store.view().Node.get(name)?.spec, facts);
  return verdict(subject, { from: from ?? '', listens });
}

/** A known Node keeps its own roles and parameters. */
const subjectOf = (
  name: string,
  invitation: Pick<Subject, 'roles' | 'parameters'>,
  known: Pick<Subject, 'roles' | 'parameters'> | undefined,
  facts: Facts,
): Subject => {
  const { roles, parameters } = known ?? invitation;
  return { name, roles, parameters, facts };
};

/** Whether an operator decides. */
const needsApproval = (store: JoinStore, { approve }: { approve: boolean }): boolean =>
  approve || store.view().Cluster.get('cluster')?.spec.approveJoins === true;

/** A disk that was copied brings the key of the box that it was copied from. @throws EvenkeelError identity-copied */
function refuseCopy(store: JoinStore, name: string, key: string): void {
  for (const other of store.view().Node.values())
    if (other.name !== name && other.spec.identity?.key === key)
      throw new EvenkeelError(
        'identity-copied',
        `this box shows the key ${readable(key)} of the node ${other.name} at ${other.spec.address}: ` +
          'remove its identity folder and join again, so that it makes a key of its own',
      );
}

function changed(
  { alive }: JoinOptions,
  name: string,
  { key, known, from }: { key: string; known: string; from: string | undefined },
): EvenkeelError {
  const living = alive(name);
  if (living !== undefined) return inUse(name, living, from);
  return new EvenkeelError(
    'identity-changed',
    `node ${name} asks with the key ${key} (${readable(key)}), it joined with ${known} (${readable(known)}): ` +
      `an operator has to trust it, evenkeel node trust ${name}`,
  );
}

/** An invitation that names nobody would let a box be a declared node with more than it was invited for. */
const wouldGain = ({ name, roles }: Invite, declared: NodeSpec | undefined): boolean =>
  name === undefined && declared !== undefined && declared.roles.some((role) => !roles.includes(role));

const record = (store: JoinStore, node: string, { serial, key, issued, expires }: Issued) =>
  store.certificates.add({ node, serial, key, issued, expires });

async function renew({ store, pki, log }: JoinOptions, node: string, csr: string): Promise<Certified> {
  const known = store.view().Node.get(node)?.spec.identity?.key;
  if (known === undefined) throw new EvenkeelError('forbidden', `node ${node} is unknown here`);
  const issued = await pki.issueNode(node, csr, known);
  await record(store, node, issued);
  log.info({ node, expires: issued.expires }, 'certificate renewed');
  return { certificate: issued.certificate, ca: issued.ca };
}

async function leave({ store, emit, log }: JoinOptions, node: string): Promise<void> {
  await store.write({
    actor: `node:${node}`,
    edits: [{ op: 'delete', kind: 'Node', name: node, where: '' }],
  });
  emit({
    ...{ type: 'node.left', severity: 'warning', subject: node, node },
    message: `root of the box ${node} has taken it away: it is a box of its own now`,
  });
  log.info({ node }, 'node has left');
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
  const isKnown = options.store.view().Node.get(node) !== undefined;
  if (!isKnown && options.removed(node, bearerOf(certificate).key)) throw wasRemoved(node);
  return renew(options, node, csr);
}
