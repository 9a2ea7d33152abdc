/** The rollout of a release over the nodes: wave by wave, drained, replaced, judged, and given back to their pools. */
import { sameRelease } from '../../common/own-release.ts';
import { isOut, servingIn } from '../../common/serving.ts';
import { beforeOf, missedIn, type Before as Stood, worseThan } from '../../common/wellness.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { nextWave } from './waves.ts';

export interface RolloutOptions {
  client: Pick<Client, 'call'>;
  /** The release that all are to have. */
  release: string;
  /** The nodes to take, in this order. */
  names: readonly string[];
  most: number;
  /** Milliseconds: for connections to end, and for a node to be back and well. */
  drain: number;
  patience: number;
  say: (line: string) => void;
  /** Milliseconds that only rise, and a wait. */
  now: () => number;
  sleep: (ms: number) => Promise<void>;
}

export interface Outcome {
  done: string[];
  /** The node on which it stopped, and why. */
  failed: { node: string; why: string }[];
  /** Not begun, since it stopped before. */
  left: string[];
}

/** Nobody else says just this of a node, so what begins with it was said by a rollout. */
export const REASON = 'evenkeel upgrade to ';
const LOOK_MS = 500;
/** So long a node has to stay well before the next wave begins. */
const STEADY_MS = 5_000;
/** Beyond its deadline a drain takes the directors another look or two. */
const LEAVE_MS = 15_000;

/** How a node was before it was touched: it is to be no worse afterwards. */
interface Before extends Stood {
  /** Of its agent, to go back to. */
  release: string;
  /** Drained by this rollout, and so by it to be undrained. */
  drained: boolean;
  /** Of a failure that it has told before; null where there is none. */
  failed: string | null;
}

/** A failure stops it: what is done stays done, what failed is taken back and given to its pools again. */
export async function rollOut(options: RolloutOptions): Promise<Outcome> {
  const { client, release, names, most, say } = options;
  const outcome: Outcome = { done: [], failed: [], left: [] };
  for (let size = 1; ; size = most) {
    const { items } = await client.call('nodes');
    const { items: pools } = await client.call('pools');
    const open = names.filter((name) => !outcome.done.includes(name));
    for (const name of open) {
      const node = items.find((view) => view.name === name);
      if (!node) outcome.failed.push({ node: name, why: 'it is no node any more' });
      // Somebody else was quicker.
      else if (sameRelease(node.release, release) && !isOurs(node)) outcome.done.push(name);
    }
    const todo = items.filter(({ name }) => open.includes(name) && !outcome.done.includes(name));
    const aside = new Set(items.filter((view) => isAside(view) && !isOurs(view)).map(({ name }) => name));
    const wave = nextWave(todo, pools, { most: size, aside });
    if (wave.nodes.length === 0 || outcome.failed.length > 0) {
      outcome.left = todo.map(({ name }) => name);
      return outcome;
    }
    say(`${wave.nodes.join(', ')}: to ${release}`);
    const taken = todo.filter(({ name }) => wave.nodes.includes(name));
    const ends = await Promise.allSettled(taken.map((node) => one(node, pools, wave.drained, options)));
    for (const [at, end] of ends.entries()) {
      const node = taken[at]?.name ?? '';
      if (end.status === 'fulfilled') outcome.done.push(node);
      else outcome.failed.push({ node, why: messageOf(end.reason) });
    }
    if (outcome.failed.length === 0) continue;
    outcome.left = open.filter((name) => !wave.nodes.includes(name) && !outcome.done.includes(name));
    return outcome;
  }
}

const isAside = ({ drain, maintenance }: NodeView): boolean => (drain ?? maintenance) !== undefined;

/** A run that was ended in the middle has left its own word on the node. */
export const isOurs = ({ drain }: NodeView): boolean => drain?.startsWith(REASON) ?? false;

async function one(
  node: NodeView,
  pools: readonly PoolView[],
  drained: readonly string[],
  options: RolloutOptions,
): Promise<void> {
  const { name } = node;
  const before: Before = {
    ...beforeOf(
      node,
      pools.filter((pool) => servingIn(pool).includes(name)).map(({ service }) => service),
    ),
    release: node.release,
    drained: isOurs(node) || drained.includes(name),
    failed: failureOf(node),
  };
  let isTaken = isOurs(node);
  try {
    await refusedBefore(name, options);
    isTaken ||= before.drained;
    if (before.drained) await drain(node, options);
    await replace(name, before, options);
  } finally {
    if (isTaken) await options.client.call('undrain', { params: { name } });
  }
  await untilServing(name, before, options);
}

/**
 * What its box refuses is known before it is taken from its pools.
 * @throws EvenkeelError upgrade-refused
 */
async function refusedBefore(name: string, { client }: RolloutOptions): Promise<void> {
  try {
    await client.call('upgradeNode', { params: { name }, body: { dryRun: true } });
  } catch (err) {
    // An agent that is too old for this question says nothing, and may be asked the other one.
    if (!(err instanceof EvenkeelError) || err.code !== 'node-unreachable') throw err;
  }
}

/** The deadline is one of the manager's clock, which has heard the node just now; ours may be another. */
async function drain(
  { name, lastSeen }: NodeView,
  { client, release, drain: limit, now, sleep, say }: RolloutOptions,
): Promise<void> {
  const deadline = new Date((lastSeen === null ? Date.now() : Date.parse(lastSeen)) + limit).toISOString();
  const begun = now();
  await client.call('drain', { params: { name }, body: { reason: `${REASON}${release}`, deadline } });
  for (;;) {
    const { items } = await client.call('pools');
    if (isOut(name, items, now() - begun >= limit)) break;
    if (now() - begun >= limit + LEAVE_MS)
      throw new EvenkeelError('timeout', `${name} has not left its pools in time`);
    await sleep(LOOK_MS);
  }
  say(`${name}: out of its pools`);
}

/** Replaces the agent, and takes it back when the node is not as well with it as before. */
async function replace(name: string, before: Before, options: RolloutOptions): Promise<void> {
  const { client, release, say } = options;
  await client.call('upgradeNode', { params: { name }, body: { dryRun: false } });
  say(`${name}: its agent is being replaced`);
  const why = await notWell(name, release, before, options);
  if (why === undefined) return;
  const { release: runs } = await client.call('node', { params: { name } });
  if (before.release === '' || !sameRelease(runs, release))
    throw new EvenkeelError('upgrade-refused', `${why}; ${runs || 'no release'} runs there`);
  say(`${name}: ${why}; back to ${before.release}`);
  await client.call('upgradeNode', { params: { name }, body: { release: before.release, dryRun: false } });
  const still = await notWell(name, before.release, before, options);
  throw new EvenkeelError(
    'upgrade-refused',
    `${why}; ${still === undefined ? `${before.release} runs there again` : `and with ${before.release} ${still}`}`,
  );
}

/** @returns why the node is not well with this release in time; undefined when it is, and has been for a while */
async function notWell(
  name: string,
  release: string,
  before: Before,
  { client, patience, now, sleep }: RolloutOptions,
): Promise<string | undefined> {
  const end = now() + patience;
  let wellSince: number | undefined;
  for (;;) {
    // A manager that does not answer for a moment is no news of the node.
    const node = await client.call('node', { params: { name } }).catch((err: unknown) => messageOf(err));
    const ill = typeof node === 'string' ? node : illness(node, release, before);
    if (ill !== undefined) wellSince = undefined;
    else wellSince ??= now();
    if (wellSince !== undefined && now() - wellSince >= STEADY_MS) return undefined;
    const failed = typeof node === 'string' || sameRelease(node.release, release) ? null : failureOf(node);
    if (failed !== null && failed !== before.failed) return failed.slice(failed.indexOf(' ') + 1);
    if (now() >= end) return ill ?? 'it was well for a moment only';
    await sleep(LOOK_MS);
  }
}

/** What the node says of an upgrade that failed, with when: the same words later are another failure. */
function failureOf({ alarms }: NodeView): string | null {
  const alarm = alarms.find(({ code }) => code === 'upgrade-failed');
  return alarm ? `${alarm.since} ${alarm.message}` : null;
}

function illness(node: NodeView, release: string, before: Before): string | undefined {
  if (!node.online) return 'it is not heard';
  if (!sameRelease(node.release, release)) return `it still runs ${node.release || 'no release'}`;
  return worseThan(before, node);
}

/** Back where it was: the next wave takes others away. */
async function untilServing(name: string, before: Before, options: RolloutOptions): Promise<void> {
  const { client, patience, now, sleep, say } = options;
  const end = now() + patience;
  for (;;) {
    const { items } = await client.call('pools');
    const missing = missedIn(before, name, items);
    if (missing === undefined)
      return say(`${name}: well${before.served.length > 0 ? ', and back in its pools' : ''}`);
    if (now() >= end) throw new EvenkeelError('timeout', `${name} is not back in the pool of ${missing}`);
    await sleep(LOOK_MS);
  }
}
