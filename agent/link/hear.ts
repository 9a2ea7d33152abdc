/** What the broker hands over, judged at the door: which topic, signed by whom, of which cluster; then passed to who wants it. */
import type { KeyObject } from 'node:crypto';
import { Compile, type Validator } from 'typebox/compile';
import { open } from '../../common/envelope.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { Ask, Envelope, Head, Lease, PoolState, Receipt } from '../../protocol/messages.ts';
import { parseTopic } from '../../protocol/topics.ts';

export interface Listeners {
  head: (head: Head) => void;
  pool: (state: PoolState) => void;
  lease: (lease: Lease) => void;
  ask: (ask: Ask) => void;
  receipt: (receipt: Receipt) => void;
}

export interface HearOptions {
  node: string;
  cluster: string;
  signingKey: KeyObject;
  listeners: Listeners;
  log: Log;
}

const shapes = {
  head: Compile(Head),
  pool: Compile(PoolState),
  lease: Compile(Lease),
  ask: Compile(Ask),
  receipt: Compile(Receipt),
};
const isEnvelope = Compile(Envelope);

/** @returns what the connection calls for each message; it never throws, since one bad message must not stop the rest */
export function createHearing({ node, cluster, signingKey, listeners, log }: HearOptions) {
  const opened = <T>(payload: unknown, shape: Validator & { Check(value: unknown): value is T }): T => {
    if (!isEnvelope.Check(payload)) throw new EvenkeelError('signature-invalid', 'not a signed message');
    return open(payload, signingKey, (value): value is T => shape.Check(value));
  };
  const ofCluster = <T extends { cluster: string }>(message: T): T => {
    if (message.cluster === cluster) return message;
    throw new EvenkeelError('signature-invalid', `a message of the cluster ${message.cluster}`);
  };
  const about = (wanted: string, said: string) => {
    if (wanted !== said)
      throw new EvenkeelError('signature-invalid', `a message about ${said} under ${wanted}`);
  };
  const pass = (topic: string, payload: unknown) => {
    const parsed = parseTopic(topic);
    if (parsed?.name === 'head') {
      const head = opened<Head>(payload, shapes.head);
      about(parsed.subject, head.scope);
      listeners.head(head);
    } else if (parsed?.name === 'pool') {
      const state = ofCluster(opened<PoolState>(payload, shapes.pool));
      about(parsed.subject, state.service);
      listeners.pool(state);
    } else if (parsed?.name === 'lease') {
      listeners.lease(ofCluster(opened<Lease>(payload, shapes.lease)));
    } else if (parsed?.name === 'ask') {
      const ask = ofCluster(opened<Ask>(payload, shapes.ask));
      about(node, ask.node);
      listeners.ask(ask);
    } else if (parsed?.name === 'receipt' && shapes.receipt.Check(payload)) {
      listeners.receipt(payload);
    }
  };
  return (topic: string, payload: Buffer): void => {
    // An empty message says that a retained one is gone: nothing to believe, nothing to do.
    if (payload.length === 0) return;
    try {
      pass(topic, JSON.parse(payload.toString()));
    } catch (err) {
      log.error({ node, topic, err: messageOf(err) }, 'message was not believed');
    }
  };
}
