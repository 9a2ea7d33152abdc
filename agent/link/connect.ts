/** The connection to the broker: one MQTT client at a time, a new session each, and a growing wait between tries. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect, type MqttClient } from 'mqtt';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Incarnation } from '../../protocol/messages.ts';
import { COPIED } from '../../protocol/topics.ts';
import { waitBefore } from './backoff.ts';

export interface Will {
  topic: string;
  payload: string;
}

export interface ConnectionOptions {
  node: string;
  address: string;
  port: number;
  credentials: () => { key: string; cert: string; ca: string };
  /** Which box and process this is, for a manager that tells copies apart. */
  incarnation?: Incarnation | undefined;
  /** What the broker says for us when we are gone without a word. */
  will: (session: string) => Will;
  /** Filters to follow, asked again at each connect and at `follow`. */
  filters: () => { filter: string; qos: 0 | 1 }[];
  onUp: () => void;
  /** The manager knows who we are and does not let us in. */
  onRefused: () => void;
  onMessage: (topic: string, payload: Buffer) => void;
  clock: Clock;
  log: Log;
}

export interface Connection {
  start(): void;
  /** Says farewell and ends. */
  stop(farewell: Will | null): Promise<void>;
  connected(): boolean;
  /** The id of this connection, or of the one before while there is none. */
  session(): string;
  /** False when there is no connection; true says nothing about arrival. */
  send(topic: string, payload: string, options: { qos: 0 | 1; retain: boolean }): boolean;
  /** Follows what `filters` says now, and no longer what it does not say. */
  follow(): void;
}

const KEEPALIVE_S = 10;
const CONNECT_MS = 10_000;
const FAREWELL_MS = 2_000;
/** A broker that refuses a subscription may know newer roles than the node, or older ones: it is asked again. */
const REFUSED_MS = 3_000;

/** How a CONNACK says that we may not connect [MQTT-3.2.2-3]. */
const NOT_AUTHORIZED = 5;

/** What whoever looks at the copy has to know. */
const COPY =
  'another box shows the key of this node and has its place: this disk was copied. It keeps what it has and is told nothing new. ' +
  'Stop this agent, remove its identity folder, and join this box with an invitation of its own';

export function createConnection(options: ConnectionOptions): Connection {
  const { node, address, port, credentials, incarnation, will, filters, clock, log } = options;
  const { onUp, onRefused, onMessage } = options;
  const followed = new Set<string>();
  let client: MqttClient | undefined;
  let session = randomUUID();
  let failures = 0;
  let stopped = false;
  let cancel: (() => void) | undefined;
  let cancelFollow: (() => void) | undefined;

  const again = () => {
    if (stopped) return;
    cancel = clock.after(waitBefore(failures, Math.random()), dial);
    failures += 1;
  };
  let isCopy = false;
  const failed = (err: Error) => {
    log.info({ node, err: messageOf(err) }, 'connection to the manager failed');
    const { code } = err as { code?: unknown };
    if (code === NOT_AUTHORIZED) onRefused();
    if (code !== COPIED || isCopy) return;
    isCopy = true;
    log.error({ node }, COPY);
  };
  const dial = () => {
    session = randomUUID();
    followed.clear();
    const { topic, payload } = will(session);
    const tls = { ...credentials(), minVersion: 'TLSv1.3' as const };
    const dialled = connect({
      protocol: 'mqtts',
      host: address,
      port,
      ...tls,
      clientId: node,
      ...(incarnation === undefined ? {} : { username: JSON.stringify(incarnation) }),
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // 65,536 buffers, one for every number that a packet may carry, which is 7 MB for a few messages a second.
      writeCache: false,
      will: { topic, payload: Buffer.from(payload), qos: 1, retain: true },
    });
    client = dialled;
    dialled.on('error', (err) => failed(err));
    dialled.on('connect', () => {
      (dialled.stream as Partial<Socket>).setNoDelay?.(true);
      failures = 0;
      isCopy = false;
      log.info({ node, session }, 'connected to the manager');
      follow();
      onUp();
    });
    dialled.on('message', onMessage);
    dialled.once('close', () => {
      if (client === dialled) client = undefined;
      dialled.end(true);
      again();
    });
  };
  const follow = () => {
    const dialled = client;
    if (!dialled?.connected) return;
    const wanted = new Map(filters().map(({ filter, qos }) => [filter, qos]));
    for (const filter of followed)
      if (!wanted.has(filter)) {
        dialled.unsubscribe(filter);
        followed.delete(filter);
      }
    for (const [filter, qos] of wanted) {
      if (followed.has(filter)) continue;
      followed.add(filter);
      dialled.subscribe(filter, { qos }, (err) => {
        if (!err || client !== dialled) return;
        followed.delete(filter);
        cancelFollow?.();
        cancelFollow = clock.after(REFUSED_MS, follow);
        log.warn({ node, filter, err: messageOf(err) }, 'subscription refused');
      });
    }
  };
  const send: Connection['send'] = (topic, payload, { qos, retain }) => {
    if (!client?.connected) return false;
    client.publish(topic, payload, { qos, retain }, (err) => {
      if (err) log.info({ node, topic, err: messageOf(err) }, 'message was not sent');
    });
    return true;
  };
  return {
    start: dial,
    stop: async (farewell) => {
      stopped = true;
      cancel?.();
      cancelFollow?.();
      const last = client;
      if (!last) return;
      if (farewell) send(farewell.topic, farewell.payload, { qos: 1, retain: true });
      const patience = new AbortController();
      const late = clock.sleep(FAREWELL_MS, patience.signal).catch(() => undefined);
      await Promise.race([last.endAsync(), late]);
      patience.abort(new Error('ended'));
      last.end(true);
    },
    connected: () => client?.connected === true,
    session: () => session,
    send,
    follow,
  };
}
