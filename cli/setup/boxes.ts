/** Boxes that a setup waits for: each is invited by its name, joins, and becomes as it is declared. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { InviteView } from '../../protocol/joining.ts';
import type { NodeView } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { pastedLine } from '../pasted-line.ts';
import type { Progress } from '../progress.ts';
import { heldOn } from '../sandbox/ready.ts';
import type { Answers, PlannedNode } from './answers.ts';
import type { Kept } from './kept.ts';

export interface Invited {
  name: string;
  /** The line for the new box; absent where a run before this one has shown it, or the box waits for an operator. */
  line?: string;
  state: 'open' | 'waiting';
  expires: string;
  fingerprint?: string;
  /** Further lines that are good for this name, and not of this setup: they stay so. */
  others?: string[];
}

const HOURS = 24;

export interface Inviting {
  joined: ReadonlySet<string>;
  /** Those that have an invitation get another: its secret is shown once. */
  anew: boolean;
  kept: Kept;
  /** Writes down what changes in what is kept. */
  keep(more: Pick<Kept, 'invites' | 'inviting'>): Promise<void>;
}

/** Invites every node that has not joined and has no invitation that is still good. */
export async function inviteMissing(
  client: Client,
  nodes: PlannedNode[],
  { joined, anew, kept, keep }: Inviting,
): Promise<Invited[]> {
  const missing = nodes.filter(({ name }) => !joined.has(name));
  if (missing.length === 0) return [];
  const { items } = await client.call('invites');
  const { inviting = [] } = kept;
  let { invites } = kept;
  const invited: Invited[] = [];
  for (const node of missing) {
    const known = items.filter(({ name }) => name === node.name);
    const good = known.filter(({ state }) => isGood(state));
    const waiting = good.find(({ state }) => state === 'waiting');
    const earlier = waiting ?? (anew ? undefined : good.at(-1));
    if (earlier) {
      invited.push({ name: node.name, state: waiting ? 'waiting' : 'open', expires: earlier.expires });
      continue;
    }
    const own = good.filter(({ id }) => invites.includes(id));
    for (const { id } of own) await client.call('uninvite', { params: { id } });
    const others = good.filter((one) => !own.includes(one)).map(inviteText);
    // Written down before and after: a kill between the two leaves one more than is known.
    await keep({ invites, inviting: [...inviting, { name: node.name, known: known.map(({ id }) => id) }] });
    const { id, ...one } = await inviteOne(client, node);
    invites = [...invites, id];
    await keep({ invites, inviting });
    invited.push({ ...one, ...(others.length === 0 ? {} : { others }) });
  }
  return invited;
}

const isGood = (state: InviteView['state']): boolean => state === 'open' || state === 'waiting';

async function inviteOne(
  client: Client,
  { name, roles, parameters, address }: PlannedNode,
): Promise<Invited & { id: string }> {
  const body = { name, roles, parameters, hours: HOURS, approve: false };
  const { id, join, expires, fingerprint } = await client.call('invite', { body });
  const command = pastedLine(join, name) ?? `evenkeel-agent join ${join} --name ${name}`;
  return { id, name, state: 'open', line: `${command} --address ${address}`, expires, fingerprint };
}

export interface OpenInvites {
  /** Those that the setup has made, and nobody has used yet. */
  own: { id: string; name: string }[];
  /** Somebody else's, or that of a run that was killed while it invited: nobody can tell, so it stays. One line each. */
  unclear: string[];
}

export function openInvites({ invites, inviting = [] }: Kept, items: readonly InviteView[]): OpenInvites {
  const open = items.filter(({ state }) => isGood(state));
  const isUnclear = (one: InviteView) =>
    !invites.includes(one.id) &&
    inviting.some(({ name, known }) => name === one.name && !known.includes(one.id));
  return {
    own: open.filter(({ id }) => invites.includes(id)).map(({ id, name = '' }) => ({ id, name })),
    unclear: open.filter(isUnclear).map(inviteText),
  };
}

const inviteText = ({ id, name, by, made }: InviteView): string =>
  `the invitation ${id} of ${name ?? 'any name'}, made by ${by} at ${made}, stays: evenkeel node uninvite ${id}`;

export async function uninvite(client: Client, invites: OpenInvites['own']): Promise<void> {
  for (const { id } of invites) await client.call('uninvite', { params: { id } });
}

export interface Arrival {
  /** Those that have not joined. */
  awaited: string[];
  /** Those that have, and are not as declared: one line each, with the reason. */
  unfinished: string[];
}

const EVERY_MS = 500;
/** One that has everything and stays in a bad end for so long will not mend itself by waiting. */
const SETTLED_MS = 15_000;
const CONVERGED_MS = 60_000;

/**
 * Waits until all have joined and are as declared; or until time is up, or all have joined and some are stuck.
 * @param limit milliseconds in which they may join; who has joined gets a minute at least
 */
export async function awaitNodes(
  client: Client,
  { nodes }: Pick<Answers, 'nodes'>,
  { limit, progress }: { limit: number; progress: Progress },
): Promise<Arrival> {
  const [end, settled] = [performance.now() + limit, performance.now() + Math.max(limit, CONVERGED_MS)];
  let stuckSince: number | undefined;
  for (;;) {
    const { items } = await client.call('nodes');
    const views = new Map(items.map((view) => [view.name, view]));
    const awaited = nodes.map(({ name }) => name).filter((name) => hasNotJoined(views.get(name)));
    const late = nodes
      .flatMap(({ name }) => views.get(name) ?? [])
      .filter((view) => !awaited.includes(view.name) && !view.converged);
    const arrival = { awaited, unfinished: late.map(standText) };
    if (awaited.length === 0 && late.length === 0) return arrival;
    const isStuck =
      awaited.length === 0 &&
      late.every(({ online, behind, units }) => online && behind.length === 0 && units.length > 0);
    stuckSince = isStuck ? (stuckSince ?? performance.now()) : undefined;
    const isSettled = stuckSince !== undefined && performance.now() - stuckSince > SETTLED_MS;
    if (isSettled || performance.now() > (awaited.length > 0 ? end : settled)) return arrival;
    progress.say(
      awaited.length > 0
        ? `waiting for ${awaited.join(', ')} to join`
        : `waiting for ${late.map(({ name }) => name).join(', ')}`,
    );
    await sleep(EVERY_MS);
  }
}

const hasNotJoined = (view: NodeView | undefined): boolean => view === undefined || view.state === 'pending';

function standText(view: NodeView): string {
  const held = heldOn(view);
  const why = !view.online
    ? 'is not connected'
    : view.behind.length > 0
      ? `has not received ${view.behind.join(', ')}`
      : held.length > 0
        ? held.join('; ')
        : 'is not as declared yet';
  return `${view.name} ${why}`;
}
