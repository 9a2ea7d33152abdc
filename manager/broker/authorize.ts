/** What a node may say and hear, judged packet by packet from the table of topics alone. */
import { Compile, type Validator } from 'typebox/compile';
import {
  mayPublish,
  mayRead,
  type ParsedTopic,
  type Peer,
  parseTopic,
  type TopicName,
  topics,
} from '../../protocol/topics.ts';

/** Why a packet was dropped; counted by these words. */
export type Breach = 'topic' | 'size' | 'qos' | 'schema' | 'unknown-node' | 'stale-will';

/** A packet that was let through: which topic, by whom, and its message, which fits its schema. */
export interface Accepted {
  name: TopicName;
  node: string;
  message: unknown;
  retain: boolean;
}

export type Judgement = { accepted: Accepted } | { breach: Breach };

interface Said {
  topic: string;
  payload: Buffer | string;
  qos: number;
  retain: boolean;
}

const validators = new Map<TopicName, Validator>(
  (Object.keys(topics) as TopicName[])
    .filter((name) => topics[name].writer === 'node')
    .map((name) => [name, Compile(topics[name].payload)]),
);

/** Judges what a node publishes, its will included. */
export function judgePublish(peer: Peer | null, said: Said): Judgement {
  if (!peer) return { breach: 'unknown-node' };
  if (said.qos > 1) return { breach: 'qos' };
  const parsed = parseTopic(said.topic);
  if (!parsed || !mayPublish(peer, said.topic)) return { breach: 'topic' };
  const { name } = parsed;
  if (Buffer.byteLength(said.payload) > topics[name].limit) return { breach: 'size' };
  const message = messageIn(said.payload);
  if (!validators.get(name)?.Check(message)) return { breach: 'schema' };
  return { accepted: { name, node: peer.node, message, retain: said.retain && topics[name].retained } };
}

/** The JSON in a payload; undefined, which fits no schema, where there is none. */
function messageIn(payload: Buffer | string): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return undefined;
  }
}

/** Whether a message may be handed to a node: it is meant for it now, and comes from the manager. Holds whatever filter it came by. */
export function createMayReceive(): (peer: Peer | null, topic: string) => boolean {
  // One message is judged for all its readers in a row, so what its topic is, is found out once.
  let last: { topic: string; parsed: ParsedTopic | null } | undefined;
  return (peer, topic) => {
    if (last?.topic !== topic) last = { topic, parsed: parseTopic(topic) };
    const { parsed } = last;
    return (
      peer !== null && parsed !== null && topics[parsed.name].writer === 'manager' && mayRead(peer, parsed)
    );
  };
}
