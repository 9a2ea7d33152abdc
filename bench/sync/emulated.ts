/** An agent without a box: the real link's connection, presence and hearing, over a desired state that is only its digests. */
import { type KeyObject, randomUUID } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type Connection, createConnection } from '../../agent/link/connect.ts';
import { createHearing } from '../../agent/link/hear.ts';
import type { ReportBody } from '../../agent/link/outbox.ts';
import { createPresence } from '../../agent/link/presence.ts';
import { type Clock, moment } from '../../common/clock.ts';
import { decideHead, type Stand } from '../../common/delta.ts';
import { createScopeSum } from '../../common/digest.ts';
import type { Log } from '../../common/log.ts';
import type { Ask, Change, Head, ScopeName } from '../../protocol/messages.ts';
import { keyOf, type ResourceOf } from '../../protocol/resource.ts';
import { topicOf } from '../../protocol/topics.ts';
import { sharedNow } from '../worker.ts';

export interface EmulatedOptions {
  node: ResourceOf<'Node'>;
  certificate: string;
  key: string;
  ca: string;
  cluster: string;
  signingKey: KeyObject;
  address: string;
  port: number;
  stands: ReadonlyMap<ScopeName, Stand>;
  /** What resources had as digests before a revision; shared by all, since all follow the same scopes. */
  digestBefore: (key: string, rev: number) => string | undefined;
  /** Hears of asks; then messages are judged as they come. */
  onAsk?: (ask: Ask) => void;
  clock: Clock;
  log: Log;
}

/** Where an agent came to stand in a scope, and when. */
export interface Arrival {
  rev: number;
  /** When the message was here, and how long it took to verify it, apply it and compare digests. */
  at: number;
  work: number;
  bytes: number;
}

export interface Emulated {
  start(): void;
  stop(): void;
  connected(): boolean;
  /** Messages that have arrived and were not looked at yet. */
  waiting(): number;
  /** Judges them; fleet.ts says why that is not done at once. */
  work(): void;
  arrival(scope: ScopeName): Arrival | undefined;
  /** Since when, in this session, every scope is known to be at its head. */
  consistentAt(): number | undefined;
  report(body: ReportBody): void;
}

const BEAT_MS = 2_000;
const nothing = () => undefined;

export function createEmulated(options: EmulatedOptions): Emulated {
  const { node, cluster, signingKey, onAsk, clock, log } = options;
  const stands = new Map(options.stands);
  const arrivals = new Map<ScopeName, Arrival>();
  const seen = new Set<ScopeName>();
  let inbox: { topic: string; payload: Buffer; at: number }[] = [];
  let judging: Arrival = { rev: 0, at: 0, work: 0, bytes: 0 };
  let consistent: number | undefined;

  // TLS takes the context where there is one. A box reads its own keys, so that is not the work of the one core here.
  const { key, certificate: cert, ca } = options;
  const secureContext = createSecureContext({ key, cert, ca, minVersion: 'TLSv1.3' });
  const credentials = { key, cert, ca, secureContext };
  const stand = (scope: ScopeName) => stands.get(scope) ?? null;
  const desired = { stand, get: () => node };
  const presence = createPresence({ node: node.name, version: 'bench', desired });
  const onHead = (head: Head) => {
    const decision = decideHead(cluster, stand(head.scope), head);
    if (decision.act === 'refuse' || decision.act === 'pull') {
      log.error(
        { node: node.name, scope: head.scope, revision: head.rev, ...decision },
        'head was not applied',
      );
      return;
    }
    if (decision.act === 'apply') move(head, decision.changes);
    seen.add(head.scope);
  };
  const move = (head: Head, changes: Change[]) => {
    const { scope, epoch, rev, count, digest } = head;
    const before = stand(scope);
    if (sumAfter(before?.digest, changes, rev) !== digest)
      return log.error({ node: node.name, scope }, 'digests differ');
    stands.set(scope, { epoch, rev, count, digest });
    arrivals.set(scope, { ...judging, rev, work: sharedNow() - judging.work });
  };
  const sumAfter = (digest: string | undefined, changes: Change[], rev: number): string => {
    const sum = createScopeSum(digest);
    for (const change of changes) {
      const before = options.digestBefore(keyOf(change), rev);
      if (before) sum.remove(change.kind, change.name, before);
      if (change.op === 'put') sum.add(change.kind, change.name, change.digest);
    }
    return sum.hex();
  };
  const listeners = { head: onHead, pool: nothing, lease: nothing, ask: onAsk ?? nothing, receipt: nothing };
  const hear = createHearing({ node: node.name, cluster, signingKey, listeners, log });
  const say = (topic: string, message: unknown, qos: 0 | 1, retain = false) =>
    connection.send(topic, JSON.stringify(message), { qos, retain });
  const farewell = (session: string) => ({
    topic: topicOf.status(node.name),
    payload: JSON.stringify(presence.status(session, 'offline')),
  });
  const hello = () => {
    inbox = [];
    seen.clear();
    consistent = undefined;
    say(topicOf.status(node.name), presence.status(connection.session(), 'online'), 1, true);
  };
  const beat = () => say(topicOf.beat(node.name), presence.beat(connection.session(), true), 0);
  const connection: Connection = createConnection({
    node: node.name,
    address: options.address,
    port: options.port,
    credentials: () => credentials,
    will: farewell,
    filters: presence.filters,
    ...{ onUp: hello, onRefused: () => undefined },
    onMessage: (topic, payload) => {
      inbox.push({ topic, payload, at: sharedNow() });
      if (onAsk) work();
    },
    clock,
    log,
  });
  const work = () => {
    for (const { topic, payload, at } of inbox.splice(0)) {
      const begun = sharedNow();
      judging = { rev: 0, at, work: begun, bytes: packetBytes(topic, payload) };
      hear(topic, payload);
      if (consistent === undefined && seen.size >= presence.scopes().length)
        consistent = at + sharedNow() - begun;
    }
  };
  let stopBeats: (() => void) | undefined;
  return {
    start: () => {
      connection.start();
      stopBeats = clock.every(BEAT_MS, beat);
    },
    stop: () => {
      stopBeats?.();
      void connection.stop(null);
    },
    connected: connection.connected,
    waiting: () => inbox.length,
    work,
    arrival: (scope) => arrivals.get(scope),
    consistentAt: () => consistent,
    report: (body) => {
      const own = { id: randomUUID(), session: connection.session(), at: moment(clock) };
      say(topicOf.report(node.name), { ...own, ...body }, 1);
    },
  };
}

/** An MQTT packet of QoS 0: a byte of type, its length in 7 bits a byte, the topic with its length, the payload. */
function packetBytes(topic: string, payload: Buffer): number {
  const rest = 2 + Buffer.byteLength(topic) + payload.length;
  const lengthBytes = Math.ceil(Math.log2(rest + 1) / 7);
  return 1 + lengthBytes + rest;
}
