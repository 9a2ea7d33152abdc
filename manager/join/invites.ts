/** Invitations: made, shown, taken back, and opened by whoever has the secret and fits. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { moment } from '../../common/clock.ts';
import { sha256 } from '../../common/digest.ts';
import { newId } from '../../common/ids.ts';
import type { Invite } from '../../common/invite.ts';
import { isWithin } from '../../common/networks.ts';
import type { AnswerOf, BodyOf } from '../../protocol/endpoints.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { InviteView } from '../../protocol/joining.ts';
import type { JoinString } from '../../protocol/messages.ts';
import type { JoinOptions, JoinStore } from './kept.ts';
import { nodeFrom } from './node.ts';

export async function invite(
  options: JoinOptions,
  wanted: BodyOf<'invite'>,
  by: string,
): Promise<AnswerOf<'invite'>> {
  const { store, pki, clock, address, ports, installer, emit } = options;
  await tryInvite(store, wanted);
  const [id, secret] = [newId(), randomBytes(24).toString('base64url')];
  const expires = new Date(clock.now() + wanted.hours * 3_600_000).toISOString();
  const { hours: _, ...bound } = wanted;
  await store.invites.add({ ...bound, id, hash: sha256(secret), by, made: moment(clock), expires });
  const checksum = installer?.();
  const string: JoinString = {
    address,
    port: ports.api,
    ca: pki.authority(),
    secret: `${id}.${secret}`,
    expires,
    ...(checksum === undefined ? {} : { installer: checksum }),
  };
  const roles = wanted.roles.length > 0 ? wanted.roles.join(', ') : 'none';
  emit({
    ...{ type: 'invite.made', severity: 'info', subject: wanted.name ?? 'any name', data: { invite: id } },
    message: `${by} has invited a node with the roles ${roles}, until ${expires}`,
  });
  const encoded = Buffer.from(JSON.stringify(string)).toString('base64url');
  return { id, join: encoded, expires, fingerprint: pki.fingerprint() };
}

const FIX = 'see what the policies of these roles declare: `evenkeel get Policy`';

/** Judges the Node that the box would become: what does not fit is said to the operator now, not to the box then. */
async function tryInvite(
  store: JoinStore,
  { name: wanted, roles, parameters }: BodyOf<'invite'>,
): Promise<void> {
  const name = wanted ?? `invited-${randomBytes(6).toString('hex')}`;
  // A known Node keeps its own roles and parameters.
  if (store.view().Node.get(name)) return;
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

export function inviteView(
  { id, by, made, expires, roles, name, from, approve, claim, revoked }: Invite,
  now: number,
): InviteView {
  const box = claim && { node: claim.node, key: claim.key, from: claim.from, at: claim.at };
  return {
    ...{ id, by, made, expires, roles, approve },
    state: stateOf({ expires, claim, revoked }, now),
    ...(name === undefined ? {} : { name }),
    ...(from === undefined ? {} : { from }),
    ...(box ? { used: box } : {}),
    ...(revoked ? { revoked: { by: revoked.by, at: revoked.at } } : {}),
  };
}

function stateOf({ expires, claim, revoked }: Pick<Invite, 'expires' | 'claim' | 'revoked'>, now: number) {
  if (revoked) return 'revoked';
  if (claim?.state === 'joined') return 'used';
  if (Date.parse(expires) <= now) return 'expired';
  return claim ? 'waiting' : 'open';
}

/** @throws EvenkeelError not-found */
export async function revoke(
  { store, clock, emit }: JoinOptions,
  id: string,
  { by, refused }: { by: string; refused: boolean },
): Promise<InviteView> {
  if (!store.invites.get(id))
    throw new EvenkeelError('not-found', `there is no invitation ${id}, or it has expired`);
  const revoked = { by, at: moment(clock), refused };
  const change = (now: Invite): Invite => ({ ...now, revoked: now.revoked ?? revoked });
  await store.write({ actor: by, edits: [], invite: { id, change } });
  const kept = store.invites.get(id) as Invite;
  if (!refused)
    emit({
      ...{ type: 'invite.revoked', severity: 'info', subject: kept.name ?? 'any name', data: { invite: id } },
      message: `${by} has taken the invitation ${id} back`,
    });
  return inviteView(kept, clock.now());
}

const invalid = (detail: string) => new EvenkeelError('invite-invalid', detail);

/** The invitation that a secret opens. To one who has no such secret nothing is told apart. @throws EvenkeelError */
export function openedBy(store: JoinStore, secret: string): Invite {
  const [id = '', rest = ''] = secret.split('.');
  const kept = store.invites.get(id);
  const given = Buffer.from(sha256(rest), 'hex');
  if (!kept || !timingSafeEqual(Buffer.from(kept.hash, 'hex'), given))
    throw invalid('this join string opens nothing, or no longer');
  return kept;
}

/** Whether a box with this name, key and address may use it. @throws EvenkeelError invite-invalid, join-refused */
export function refuseMisfit(
  { name, from: range, claim, revoked, expires }: Invite,
  box: { name: string; key: string; from: string | undefined; now: number },
): void {
  if (revoked?.refused)
    throw new EvenkeelError('join-refused', `${revoked.by} has refused this box at ${revoked.at}`);
  if (revoked) throw invalid(`this join string was taken back at ${revoked.at}`);
  if (Date.parse(expires) <= box.now) throw invalid(`this join string was good until ${expires}`);
  if (name !== undefined && name !== box.name)
    throw invalid(`this join string is for another name than ${box.name}`);
  if (range !== undefined && (box.from === undefined || !isWithin(range, box.from)))
    throw invalid(`this join string is for boxes in ${range}, not at ${box.from ?? 'an unknown address'}`);
  if (claim !== undefined && claim.key !== box.key)
    throw invalid(`another box has used this join string at ${claim.at}`);
}
