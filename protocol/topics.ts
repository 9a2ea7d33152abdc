/** Every MQTT topic: who writes it, who reads it, what it carries. The broker's permissions derive from this table alone. */
import type { TSchema } from 'typebox';
import { Answer, Beat, Envelope, Receipt, Report, type ScopeName, Status, Traffic } from './messages.ts';
import { LiveOutput } from './queue.ts';

export const TOPIC_ROOT = 'evenkeel/1';

/** How a CONNACK says that another box has the place of this node: identifier rejected [MQTT-3.2.2-4]. */
export const COPIED = 2;

interface TopicRow {
  /** Segments below the root; `:node`, `:service` stand for one segment, `:scope` for a whole scope name. */
  pattern: string;
  writer: 'manager' | 'node';
  /** node: only the node named in it. scope: nodes that belong to the scope. balancer: nodes of the balancer role. */
  reader: 'manager' | 'node' | 'scope' | 'balancer';
  retained: boolean;
  qos: 0 | 1;
  payload: TSchema;
  /** The largest payload in bytes that is let through. */
  limit: number;
}

/** The table. Whatever is not in it is refused. */
export const topics = {
  head: {
    pattern: 'head/:scope',
    writer: 'manager',
    reader: 'scope',
    retained: true,
    qos: 0,
    payload: Envelope,
    limit: 128 * 1024,
  },
  pool: {
    pattern: 'pool/:service',
    writer: 'manager',
    reader: 'balancer',
    retained: true,
    qos: 1,
    payload: Envelope,
    limit: 512 * 1024,
  },
  lease: {
    pattern: 'lease',
    writer: 'manager',
    reader: 'balancer',
    retained: false,
    qos: 0,
    payload: Envelope,
    limit: 4096,
  },
  receipt: {
    pattern: 'node/:node/receipt',
    writer: 'manager',
    reader: 'node',
    retained: false,
    qos: 1,
    payload: Receipt,
    limit: 64 * 1024,
  },
  ask: {
    pattern: 'node/:node/ask',
    writer: 'manager',
    reader: 'node',
    retained: false,
    qos: 1,
    payload: Envelope,
    limit: 4096,
  },
  status: {
    pattern: 'node/:node/status',
    writer: 'node',
    reader: 'manager',
    retained: true,
    qos: 1,
    payload: Status,
    limit: 16 * 1024,
  },
  beat: {
    pattern: 'node/:node/beat',
    writer: 'node',
    reader: 'manager',
    retained: false,
    qos: 0,
    payload: Beat,
    limit: 1024,
  },
  report: {
    pattern: 'node/:node/report',
    writer: 'node',
    reader: 'manager',
    retained: false,
    qos: 1,
    payload: Report,
    limit: 256 * 1024,
  },
  traffic: {
    pattern: 'node/:node/traffic',
    writer: 'node',
    reader: 'manager',
    retained: false,
    qos: 0,
    payload: Traffic,
    limit: 512 * 1024,
  },
  output: {
    pattern: 'node/:node/output',
    writer: 'node',
    reader: 'manager',
    retained: false,
    qos: 0,
    payload: LiveOutput,
    limit: 32 * 1024,
  },
  answer: {
    pattern: 'node/:node/answer',
    writer: 'node',
    reader: 'manager',
    retained: false,
    qos: 1,
    payload: Answer,
    limit: 1024 * 1024,
  },
} as const satisfies Record<string, TopicRow>;

export type TopicName = keyof typeof topics;

export const topicOf = {
  head: (scope: ScopeName) => `${TOPIC_ROOT}/head/${scope}`,
  pool: (service: string) => `${TOPIC_ROOT}/pool/${service}`,
  lease: () => `${TOPIC_ROOT}/lease`,
  receipt: (node: string) => `${TOPIC_ROOT}/node/${node}/receipt`,
  ask: (node: string) => `${TOPIC_ROOT}/node/${node}/ask`,
  status: (node: string) => `${TOPIC_ROOT}/node/${node}/status`,
  beat: (node: string) => `${TOPIC_ROOT}/node/${node}/beat`,
  report: (node: string) => `${TOPIC_ROOT}/node/${node}/report`,
  traffic: (node: string) => `${TOPIC_ROOT}/node/${node}/traffic`,
  output: (node: string) => `${TOPIC_ROOT}/node/${node}/output`,
  answer: (node: string) => `${TOPIC_ROOT}/node/${node}/answer`,
};

export interface ParsedTopic {
  name: TopicName;
  /** What stood for `:node`, `:service` or `:scope`; empty where there is none. */
  subject: string;
}

const parsers = (Object.keys(topics) as TopicName[]).map((name) => {
  const source = topics[name].pattern
    .replace(/:scope/, '(cluster|role/[^/+#]+|node/[^/+#]+)')
    .replace(/:node|:service/, '([^/+#]+)');
  return { name, expression: new RegExp(`^${TOPIC_ROOT}/${source}$`) };
});

/** Which row of the table a concrete topic is, or null. A filter with wildcards never parses. */
export function parseTopic(topic: string): ParsedTopic | null {
  for (const { name, expression } of parsers) {
    const match = expression.exec(topic);
    if (match) return { name, subject: match[1] ?? '' };
  }
  return null;
}

/** What the broker knows of the client that asks. */
export interface Peer {
  node: string;
  roles: readonly string[];
}

export const BALANCER_ROLE = 'balancer';

/** The scopes that a node follows, in the order in which beats list their revisions. */
export const scopesOf = (peer: Peer): ScopeName[] => [
  'cluster',
  ...[...peer.roles].sort().map((role) => `role/${role}`),
  `node/${peer.node}`,
];

/** Whether a node may publish to a topic: only its own, and only where nodes write. Holds for its last will as well. */
export function mayPublish(peer: Peer, topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed !== null && topics[parsed.name].writer === 'node' && parsed.subject === peer.node;
}

/** Whether a node may subscribe to a filter: an exact topic that is meant for it; wildcards only where all it can match is its own. */
export function maySubscribe(peer: Peer, filter: string): boolean {
  if (filter === `${TOPIC_ROOT}/pool/+`) return peer.roles.includes(BALANCER_ROLE);
  if (filter === `${TOPIC_ROOT}/node/${peer.node}/#`) return true;
  const parsed = parseTopic(filter);
  return parsed !== null && mayRead(peer, parsed);
}

/** Whether a topic is meant for a node. */
export function mayRead(peer: Peer, { name, subject }: ParsedTopic): boolean {
  const { reader } = topics[name];
  if (reader === 'scope') return follows(peer, subject);
  if (reader === 'balancer') return peer.roles.includes(BALANCER_ROLE);
  return subject === peer.node;
}

/** Whether a scope is one of `scopesOf`, without making the list: this is asked for every reader of every message. */
const follows = ({ node, roles }: Peer, scope: ScopeName) =>
  scope === 'cluster' ||
  (scope.startsWith('role/') ? roles.includes(scope.slice(5)) : scope === `node/${node}`);
