/** The smoke test: a temporary site is declared, fetched on every node and through the balancer, and removed in any case. */
import type { ResourceOf } from '../../protocol/resource.ts';
import type { NodeView } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { everyOne } from '../list.ts';
import type { Progress } from '../progress.ts';
import { waitConverged } from '../wait.ts';
import { throughDoor } from './balanced.ts';
import { fetchSite } from './fetch.ts';
import type { Line, Look, Smoked } from './look.ts';
import { newSite, removeLeftOvers, removeSite, type SmokeSite, siteDocument } from './site.ts';
import {
  type Declared,
  type Door,
  doors,
  operatorOf,
  sitesRoles,
  unasked,
  type WebNode,
  webNodes,
} from './world.ts';

export interface SmokeOptions {
  progress: Progress;
  /** Ends it early; the site is removed all the same. */
  signal: AbortSignal;
}

const CONVERGED_MS = 60_000;
const GONE_MS = 30_000;

export async function smoke(client: Client, { progress, signal }: SmokeOptions): Promise<Smoked> {
  const removed = await removeLeftOvers(client, Date.now());
  const world = await lookAround(client);
  const web = webNodes(world);
  const site = newSite(Date.now());
  const since = await newest(client);
  if (web.length === 0)
    return { ok: false, site: site.name, removed, lines: [], notes: ['no node serves sites'] };
  const until = stoppable(client, signal);
  try {
    signal.throwIfAborted();
    const { revision } = await client.call('apply', { body: { documents: [siteDocument(site)] } });
    const trial = { site, since, revision, world, web, progress };
    const { lines, notes } = await tryAll(until, trial);
    // Where every node was left out, nothing is proven.
    const ok = lines.every(({ state }) => state !== 'failed') && lines.some(({ state }) => state === 'ok');
    return { ok, site: site.name, removed, lines, notes };
  } finally {
    await removeSite(client, site.name);
    await forgotten(until, site, progress);
  }
}

/** Whose calls fail once the signal has come, so that whatever waits for an answer ends. */
const stoppable = (client: Client, signal: AbortSignal): Client => ({
  ...client,
  call: (name, parts) => {
    signal.throwIfAborted();
    return client.call(name, { ...parts, signal }).catch((err: unknown) => {
      throw signal.aborted ? signal.reason : err;
    });
  },
});

const newest = async (client: Client): Promise<string> =>
  (await client.call('events', { query: { limit: 1 } })).next;

async function lookAround(client: Client): Promise<Declared> {
  const [[cluster], nodes, policies, services] = await Promise.all([
    everyOne(client, 'Cluster'),
    everyOne(client, 'Node'),
    everyOne(client, 'Policy'),
    everyOne(client, 'VirtualService'),
  ]);
  return { cluster: cluster as ResourceOf<'Cluster'>, nodes, policies, services };
}

interface Trial {
  site: SmokeSite;
  since: string;
  revision: number;
  world: Declared;
  web: WebNode[];
  progress: Progress;
}

async function tryAll(client: Client, trial: Trial): Promise<Pick<Smoked, 'lines' | 'notes'>> {
  const { site, since, revision, world, web, progress } = trial;
  progress.say('the site reaches the nodes');
  const mine = { keys: new Set([`Site/${site.name}`]), changed: new Set(['Site']), revision };
  await waitConverged(client, { since, limit: CONVERGED_MS, progress, mine });
  const { items } = await client.call('nodes');
  const views = new Map(items.map((view) => [view.name, view]));
  progress.say('asking every node');
  const direct = await Promise.all(web.map((node) => directly(node, views.get(node.name), site)));
  const lines = [...direct];
  const at = doors(world, sitesRoles(world));
  for (const door of at) {
    progress.say(`asking ${door.vip}:${door.port}`);
    lines.push(...(await byDoor(client, door, trial, views)));
  }
  return { lines, notes: notesOf(at, lines, direct) };
}

/** What was not tried, so that nobody takes it for proven. */
function notesOf(at: readonly Door[], lines: readonly Line[], direct: readonly Line[]): string[] {
  const tried = (some: readonly Line[]) => some.some(({ state }) => state === 'ok');
  if (!tried(direct)) return ['no node was asked: each of them takes no new site now'];
  if (at.length === 0)
    return ['nothing went through a balancer: no virtual service of protocol http leads to these nodes'];
  return tried(lines.slice(direct.length)) ? [] : ['nothing went through a balancer: see why above'];
}

/** What of the site a node holds back says more than what it answers instead. */
const heldReason = (view: NodeView | undefined, site: SmokeSite): string | undefined =>
  view?.units.flatMap(({ held }) => held).find(({ kind, name }) => kind === 'Site' && name === site.name)
    ?.reason;

async function directly(node: WebNode, view: NodeView | undefined, site: SmokeSite): Promise<Line> {
  const { name, address, port } = node;
  const at = { node: name, by: 'itself', at: `${address}:${port}` };
  const out = unasked(view);
  if (out) return { ...at, state: out.skip ? 'skipped' : 'failed', text: out.why };
  const { wrong, node: named } = await fetchSite(site, address, port);
  if (wrong === undefined && named !== undefined && named !== name)
    return { ...at, state: 'failed', text: `the node ${named} answered at this address` };
  if (wrong === undefined) return { ...at, state: 'ok', text: 'answered' };
  const held = heldReason(view, site);
  return { ...at, state: 'failed', text: held === undefined ? wrong : `holds the site back: ${held}` };
}

async function byDoor(
  client: Client,
  door: Door,
  { site, web, world }: Trial,
  views: Map<string, NodeView>,
): Promise<Line[]> {
  const roles = new Map(world.nodes.map(({ name, spec }) => [name, spec.roles]));
  const own = web.filter(({ name }) => roles.get(name)?.includes(door.role));
  const whyOut = new Map<string, Look>();
  for (const { name } of own) {
    const view = views.get(name);
    const out = unasked(view);
    const word = view && operatorOf(view);
    if (out) whyOut.set(name, { state: out.skip ? 'skipped' : 'failed', text: out.why });
    else if (word !== undefined) whyOut.set(name, { state: 'skipped', text: word });
  }
  const members = own.map(({ name }) => name).filter((name) => !whyOut.has(name));
  const looks = await throughDoor(client, door, { site, members, others: [...whyOut.keys()] });
  const at = { by: door.service, at: `${door.vip}:${door.port}` };
  return own.flatMap(({ name }) => {
    const look = looks.get(name) ?? whyOut.get(name);
    return look ? [{ node: name, ...at, ...look }] : [];
  });
}

/** Returns when every connected node has let go of the site, or soon. */
async function forgotten(client: Client, site: SmokeSite, progress: Progress): Promise<void> {
  const since = await newest(client);
  const { revision } = await client.call('state');
  progress.say('the nodes forget the site');
  const mine = { keys: new Set([`Site/${site.name}`]), changed: new Set<string>(), revision };
  await waitConverged(client, { since, limit: GONE_MS, progress, mine });
}
