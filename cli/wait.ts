/** Waiting after an apply until every node serves what was declared, or it is known why one does not. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLine, NodeView } from '../protocol/views.ts';
import type { Client } from './client.ts';
import type { Progress } from './progress.ts';

export interface Waited {
  /** Milliseconds until every connected node had received it, and until every one had converged; undefined: not in time. */
  received: number | undefined;
  converged: number | undefined;
  /** What the nodes have told of their passes meanwhile. */
  passes: EventLine[];
  /** Nodes that are connected and are not as declared, save for what others have declared. */
  unfinished: NodeView[];
  /** What is held back and is not of this apply, as `kind/name`. */
  others: string[];
  /** Nodes that are not connected: they converge when they are back. */
  away: string[];
}

const EVERY_MS = 150;
/** A node that has received it and stays in a bad end for this long has told its last word for now. */
const SETTLED_MS = 3000;
const bad = new Set(['held', 'rolledBack', 'failed']);

export interface WaitOptions {
  /** The newest event before what is waited for. */
  since: string;
  /** Milliseconds. */
  limit: number;
  progress: Progress;
  mine: Mine;
}

/** What is waited for, so that a node that holds back what others have declared is not waited for. */
export interface Mine {
  /** The declared resources, as `kind/name`. */
  keys: ReadonlySet<string>;
  /** The kinds of which something has changed: a unit that takes them tells of this revision. */
  changed: ReadonlySet<string>;
  revision: number;
}

export async function waitConverged(
  client: Client,
  { since, limit, progress, mine }: WaitOptions,
): Promise<Waited> {
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  let received: number | undefined;
  let badSince: number | undefined;
  for (;;) {
    const { items: nodes } = await client.call('nodes');
    const online = nodes.filter((node) => node.online);
    const lacking = online.filter(({ converged }) => !converged);
    const unfinished = lacking.filter((node) => !holdsOthersOnly(node, mine));
    if (received === undefined && online.every(({ behind }) => behind.length === 0)) received = elapsed();
    const standings = lacking.map((node) => standingOf(node, mine));
    const isLate = standings.includes('late');
    const isStuck = received !== undefined && lacking.length > 0 && !isLate && lacking.every(endedBadly);
    badSince = isStuck ? (badSince ?? elapsed()) : undefined;
    const settled = badSince !== undefined && elapsed() - badSince > SETTLED_MS;
    const done = unfinished.length === 0 && !isLate && (settled || !standings.includes('unclear'));
    if (done || settled || elapsed() > limit) {
      const away = nodes.filter((node) => !node.online).map(({ name }) => name);
      const converged = done ? elapsed() : undefined;
      const { items } = await client.call('events', { query: { since, type: 'unit', limit: 1000 } });
      const others = [...new Set(lacking.flatMap(heldKeys))].filter((key) => !mine.keys.has(key));
      return { received, converged, passes: items, unfinished, others, away };
    }
    progress.say(`${online.length - unfinished.length} of ${online.length} nodes converged`);
    await sleep(EVERY_MS);
  }
}

const endedBadly = ({ behind, units }: NodeView): boolean =>
  behind.length === 0 && units.some(({ result }) => bad.has(result));

const heldKeys = ({ units }: NodeView): string[] =>
  units.flatMap(({ held }) => held.map(({ kind, name }) => `${kind}/${name}`));

/** It has received everything, and all that it lacks is what others have declared. */
const holdsOthersOnly = (node: NodeView, { keys }: Mine): boolean =>
  node.behind.length === 0 &&
  heldKeys(node).length > 0 &&
  heldKeys(node).every((key) => !keys.has(key)) &&
  node.units.every(({ result, error, held }) => !bad.has(result) || (error === undefined && held.length > 0));

/** Whether what a node says of what it holds back is about this apply already. A unit that takes what has changed tells of its revision. */
function standingOf({ units }: NodeView, { changed, revision }: Mine): 'told' | 'late' | 'unclear' {
  if (changed.size === 0) return 'told';
  const touched = units.filter(({ held }) => held.some(({ kind }) => changed.has(kind)));
  if (touched.length === 0) return 'unclear';
  const isLate = touched.some(({ revisions }) => Object.values(revisions).every((rev) => rev < revision));
  return isLate ? 'late' : 'told';
}
