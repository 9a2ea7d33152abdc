/** The queue: boxes that wait for an operator, to be accepted or to be trusted with another key. It is kept in their invitations. */
import { moment } from '../../common/clock.ts';
import { isFingerprintOf, readable } from '../../common/fingerprint.ts';
import type { Claim, Invite } from '../../common/invite.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { InviteView, WaitingView } from '../../protocol/joining.ts';
import { revoke } from './invites.ts';
import type { JoinOptions } from './kept.ts';
import { nodeOf } from './node.ts';

/** Whoever is chosen by an operator: by name, and by fingerprint where that is needed or given. */
export interface Chosen {
  name: string;
  fingerprint?: string | undefined;
  by: string;
}

export interface Queue {
  /** Keeps the box, and says so once. @throws EvenkeelError busy when too many wait already */
  keep(invite: Invite, claim: Omit<Claim, 'at'>): Promise<void>;
  list(): WaitingView[];
  /** @throws EvenkeelError not-found, bad-request */
  accept(chosen: Chosen): Promise<void>;
  refuse(chosen: Chosen): Promise<InviteView>;
  /** @throws EvenkeelError not-found, bad-request, name-in-use */
  trust(chosen: Chosen & { fingerprint: string }): Promise<void>;
}

interface Waiting extends Invite {
  claim: Claim;
}

const MOST = 100;

export function createQueue(options: JoinOptions): Queue {
  const { store, clock, emit, alive, cut } = options;
  /** The last try of each, by invitation; not worth a write each time. */
  const heard = new Map<string, string>();
  const known = (name: string) => store.view().Node.get(name);
  /** Who was accepted or trusted waits no more, though it has not come back yet. */
  const waits = (one: Invite): one is Waiting =>
    one.claim !== undefined &&
    one.claim.state !== 'joined' &&
    !one.revoked &&
    Date.parse(one.expires) > clock.now() &&
    known(one.claim.node)?.spec.identity?.key !== one.claim.key;
  const waiting = () => store.invites.list().filter(waits);
  /** By the node as it is now: another box may have been accepted under the name meanwhile. */
  const whyOf = ({ claim }: Waiting): WaitingView['why'] =>
    known(claim.node)?.spec.identity ? 'identity' : 'approval';

  const chosen = ({ name, fingerprint }: Chosen, why?: WaitingView['why']): Waiting => {
    const named = waiting().filter(
      (one) => one.claim.node === name && (why === undefined || why === whyOf(one)),
    );
    if (named.length === 0)
      throw new EvenkeelError(
        'not-found',
        `no box waits as ${name}${why === 'identity' ? ' with another key' : ''}`,
      );
    const fitting = named.filter(
      ({ claim }) => fingerprint === undefined || isFingerprintOf(fingerprint, claim.key),
    );
    const [one, another] = fitting;
    if (one && !another) return one;
    const shown = named.map(({ claim }) => `${readable(claim.key)} from ${claim.from}`).join(', ');
    const message = one ? 'more than one box waits under this name' : 'no box waits with this fingerprint';
    const fix = `give the fingerprint of one of them: ${shown}`;
    const value = fingerprint === undefined ? {} : { value: fingerprint.slice(0, 120) };
    throw new EvenkeelError('bad-request', `${message}; ${fix}`, {
      problems: [{ code: 'bad-request', path: 'fingerprint', ...value, message, fix }],
    });
  };
  /** Writes the Node with the key of the box, by the operator: the journal has who and when. */
  const write = async ({ claim, ...invite }: Waiting, by: string) => {
    const before = known(claim.node);
    const identity = { key: claim.key, joined: moment(clock) };
    const resource = nodeOf(claim.node, invite, before?.spec, claim.facts, identity);
    await store.write({
      actor: by,
      edits: [{ op: 'put', resource, where: 'node', ifMatch: before?.revision ?? 0 }],
    });
    heard.delete(invite.id);
    return before;
  };
  return {
    keep: async (invite, claim) => {
      const others = waiting().filter(({ id }) => id !== invite.id);
      if (others.length >= MOST) throw new EvenkeelError('busy', `${MOST} boxes wait already`);
      for (const id of heard.keys()) if (!others.some((one) => one.id === id)) heard.delete(id);
      heard.set(invite.id, moment(clock));
      if (isSame(invite.claim, claim)) return;
      const at = moment(clock);
      const change = (now: Invite): Invite => claimed(now, { ...claim, at });
      await store.write({ actor: `join:${claim.node}`, edits: [], invite: { id: invite.id, change } });
      if (invite.claim?.node !== claim.node || invite.claim.state !== claim.state)
        emit(news(claim, known(claim.node)?.spec.identity?.key));
    },
    list: () =>
      waiting().map((one) => {
        const { id, claim, expires, roles } = one;
        return {
          ...{ name: claim.node, why: whyOf(one), key: claim.key, from: claim.from, since: claim.at },
          ...{ heard: heard.get(id) ?? null, expires, invite: id, facts: claim.facts },
          ...knownOf(claim.node, roles),
        };
      }),
    accept: async (wanted) => {
      const one = chosen(wanted, 'approval');
      await write(one, wanted.by);
      emit({
        ...{ type: 'join.accepted', severity: 'info', node: wanted.name, subject: wanted.name },
        message: `${wanted.by} has accepted the box at ${one.claim.from} as ${wanted.name}, with the key ${readable(one.claim.key)}`,
        data: { from: one.claim.from, key: one.claim.key },
      });
    },
    refuse: async (wanted) => {
      const { id, claim } = chosen(wanted);
      const view = await revoke(options, id, { by: wanted.by, refused: true });
      emit({
        ...{ type: 'join.declined', severity: 'info', subject: wanted.name },
        message: `${wanted.by} has refused the box at ${claim.from} that asks to be ${wanted.name}`,
        data: { from: claim.from, key: claim.key, invite: id },
      });
      return view;
    },
    trust: async (wanted) => {
      const one = chosen(wanted, 'identity');
      const { name, by } = wanted;
      const living = alive(name);
      if (living !== undefined) throw inUse(name, living, one.claim.from);
      const before = await write(one, by);
      await store.certificates.revoke(name);
      await cut(name);
      const old = before?.spec.identity?.key;
      emit({
        ...{ type: 'identity.trusted', severity: 'warning', node: name, subject: name },
        message: `${by} trusts ${name} with the key ${readable(one.claim.key)} of the box at ${one.claim.from}, instead of ${old ? readable(old) : 'none'}`,
        data: { from: one.claim.from, key: one.claim.key, before: old ?? null },
      });
    },
  };

  function knownOf(name: string, roles: string[]): Pick<WaitingView, 'known' | 'roles'> {
    const spec = known(name)?.spec;
    if (!spec) return { roles };
    const { key = null, joined = null } = spec.identity ?? {};
    return { roles: spec.roles, known: { key, joined, address: spec.address, alive: alive(name) ?? null } };
  }
}

/** Two boxes with one name: both are named, and the one that lives keeps its place. */
export const inUse = (name: string, living: string, from: string | undefined): EvenkeelError =>
  new EvenkeelError(
    'name-in-use',
    `the node ${name} lives at ${living}, so the box at ${from ?? 'an unknown address'} with another key is another box: ` +
      'join it under another name, or switch the other one off first',
  );

/** What the box does with its invitation, unless another one was quicker. @throws EvenkeelError invite-invalid */
export function claimed(now: Invite, claim: Claim): Invite {
  if (now.revoked || (now.claim && now.claim.key !== claim.key))
    throw new EvenkeelError('invite-invalid', 'another box has used this join string, or it was taken back');
  const isSameBox = now.claim?.node === claim.node;
  return { ...now, claim: { ...claim, at: isSameBox ? (now.claim?.at ?? claim.at) : claim.at } };
}

const isSame = (before: Claim | undefined, { node, from, state }: Omit<Claim, 'at'>): boolean =>
  before?.node === node && before.from === from && before.state === state;

function news({ node, key, from, state, facts }: Omit<Claim, 'at'>, trusted: string | undefined) {
  const data = { from, key, hostname: facts.hostname, ...(trusted === undefined ? {} : { before: trusted }) };
  if (state === 'approval')
    return {
      ...{ type: 'join.waiting', severity: 'warning' as const, subject: node, data },
      message: `the box at ${from} asks to be ${node}, with the key ${readable(key)}: evenkeel node accept ${node}`,
    };
  return {
    ...{ type: 'identity.changed', severity: 'error' as const, node, subject: node, data },
    message: `the box at ${from} asks to be ${node} with the key ${readable(key)}, known is ${trusted ? readable(trusted) : 'none'}: evenkeel node trust ${node}`,
  };
}
