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
  /** Nodes that are connected and are not as declared. */
  unfinished: NodeView[];
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
}

export async function waitConverged(
  client: Client,
  { since, limit, progress }: WaitOptions,
): Promise<Waited> {
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  let received: number | undefined;
  let badSince: number | undefined;
  for (;;) {
    const { items: nodes } = await client.call('nodes');
    const online = nodes.filter((node) => node.online);
    const unfinished = online.filter(({ converged }) => !converged);
    if (received === undefined && online.every(({ behind }) => behind.length === 0)) received = elapsed();
    const isStuck = received !== undefined && unfinished.length > 0 && unfinished.every(endedBadly);
    badSince = isStuck ? (badSince ?? elapsed()) : undefined;
    const done = unfinished.length === 0;
    const stuck = badSince !== undefined && elapsed() - badSince > SETTLED_MS;
    if (done || stuck || elapsed() > limit) {
      const away = nodes.filter((node) => !node.online).map(({ name }) => name);
      const converged = done ? elapsed() : undefined;
      const { items } = await client.call('events', { query: { since, type: 'unit', limit: 1000 } });
      return { received, converged, passes: items, unfinished, away };
    }
    progress.say(`${online.length - unfinished.length} of ${online.length} nodes converged`);
    await sleep(EVERY_MS);
  }
}

const endedBadly = ({ behind, units }: NodeView): boolean =>
  behind.length === 0 && units.some(({ result }) => bad.has(result));
