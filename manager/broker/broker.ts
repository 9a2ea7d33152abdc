/** The courier: MQTT over mutual TLS. It forgets everything when it stops, since the truth is in the store and on the nodes. */
import type { X509Certificate } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  Aedes,
  type AedesPublishPacket,
  type AuthenticateHandler,
  type Client,
  type PublishPacket,
} from 'aedes';
import type { Clock } from '../../common/clock.ts';
import { watchHandshakes } from '../../common/handshakes.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Receipt } from '../../protocol/messages.ts';
import { COPIED, maySubscribe, type Peer, parseTopic, topicOf, topics } from '../../protocol/topics.ts';
import { type Accepted, type Breach, createMayReceive, judgePublish } from './authorize.ts';
import { bound, frameBounds } from './frames.ts';
import { createInbound, type Handlers } from './inbound.ts';
import { createPersistence } from './retained.ts';

export interface BrokerOptions {
  listen: { address: string; port: number };
  /** Key, certificate and trusted authorities, PEM; they may change while it runs. */
  tls: {
    current(): { key: string; cert: string; ca: string };
    onRenewed(listener: () => void): () => void;
  };
  peers: {
    admit(certificate: X509Certificate | undefined, from?: string, as?: string): Peer;
    current(node: string): Peer | null;
  };
  /** Judges which box a node is, by what it shows as its user name. @throws EvenkeelError identity-copied */
  admitBox: (node: string, shown: string | undefined, from?: string) => void;
  handlers: Handlers;
  /** Hears of the address of each box that did not get through the TLS handshake. */
  refused: (from: string) => void;
  /** How long a box may take to its CONNECT, and how many connections there may be. */
  limits?: { connectMs: number; connections: number };
  clock: Clock;
  log: Log;
}

export interface Broker {
  /** Opens it for the manager's own messages; nodes are not let in yet. Returns its undo, which cuts all connections. */
  start(): Promise<() => Promise<void>>;
  /** Lets nodes in. Returns its undo. */
  listen(): Promise<() => Promise<void>>;
  /** The port it listens on. */
  port(): number;
  /** Sends a message as its topic's row says: retained or not, and how surely. Resolves when it was handed to all who listen. */
  publish(topic: string, message: unknown): Promise<void>;
  /** Forgets the retained message of a topic. */
  clear(topic: string): Promise<void>;
  /** Cuts a node's connection. */
  kick(node: string): Promise<void>;
  /** Cuts a removed node's connection and forgets all that is retained for it. */
  forget(node: string): Promise<void>;
  /** Who is connected now. */
  online(): string[];
  /** From which address a node is connected. */
  addressOf(node: string): string | undefined;
  /** What was dropped or turned away since the start, by reason. */
  counts(): Record<Breach | 'turned-away' | 'packet' | 'connection', number>;
}

/** Where a packet that breaks the rules is sent instead: nobody can subscribe to it, and the client is not made to try again. */
const NOWHERE = '$dropped';

const HANDSHAKE_MS = 10_000;
const settings = {
  /** How long one frozen subscriber may hold up the others before it is cut. */
  drainTimeout: 5_000,
  /** Longest keepalive that a client may ask for, in seconds. */
  keepaliveLimit: 30,
  heartbeatInterval: 30_000,
  /** Packets before CONNECT is answered; unanswered QoS 2 packets, which are dropped anyway. */
  queueLimit: 42,
  maxInflightInbound: 16,
  maxTopicLevels: 8,
  concurrency: 1000,
};

type Packet = PublishPacket & { brokerId?: string };
type Authenticated = Parameters<AuthenticateHandler>[3];

/** Every node that one manager is built for, twice: a connection that is lost takes a while to be seen so. */
const LIMITS = { connectMs: HANDSHAKE_MS, connections: 20_000 };

export function createBroker(options: BrokerOptions): Broker {
  const { listen, tls, peers, admitBox, handlers, refused, limits = LIMITS, clock, log } = options;
  const connected = new Map<string, Client>();
  const accepted = new WeakMap<object, Accepted>();
  const mayReceive = createMayReceive();
  const dropped: Record<Breach, number> = {
    topic: 0,
    size: 0,
    qos: 0,
    schema: 0,
    'unknown-node': 0,
    'stale-will': 0,
  };
  let aedes: Aedes | undefined;
  let server: Server | undefined;
  let stopping = false;
  const cut = { packet: 0, connection: 0 };

  const emit = (packet: PublishPacket) =>
    new Promise<void>((resolve, reject) => {
      if (!aedes) return reject(new Error('the broker is not open'));
      aedes.publish(packet, (err) => (err ? reject(err) : resolve()));
    });
  const publish = (topic: string, message: unknown) => {
    const parsed = parseTopic(topic);
    if (!parsed) throw new Error(`no such topic: ${topic}`);
    const { retained, qos } = topics[parsed.name];
    return emit({
      cmd: 'publish',
      topic,
      payload: JSON.stringify(message),
      qos,
      retain: retained,
      dup: false,
    });
  };
  const clear = (topic: string) =>
    emit({ cmd: 'publish', topic, payload: Buffer.alloc(0), qos: 0, retain: true, dup: false });
  const receipt = (node: string, message: Receipt) => {
    publish(topicOf.receipt(node), message).catch((err: unknown) =>
      log.warn({ node, err: messageOf(err) }, 'receipt was not sent'),
    );
  };
  const inbound = createInbound({ handlers, receipt, clock, log });

  const authenticate = (client: Client, user: string | undefined, done: Authenticated) => {
    try {
      const socket = client.conn as TLSSocket;
      const { node } = peers.admit(socket.getPeerX509Certificate(), socket.remoteAddress, client.id);
      admitBox(node, user, socket.remoteAddress);
      done(null, true);
    } catch (err) {
      log.warn({ client: client.id, err: messageOf(err) }, 'connection refused');
      const isCopy = err instanceof EvenkeelError && err.code === 'identity-copied';
      done(isCopy ? Object.assign(new Error(err.message), { returnCode: COPIED }) : null, false);
    }
  };
  /** An error would end the connection, and the client would come back with the same packet for ever: so a breach is led nowhere. */
  const drop = (client: Client | null, packet: Packet, breach: Breach) => {
    dropped[breach] += 1;
    log.warn({ node: client?.id, topic: packet.topic.slice(0, 200), breach }, 'message dropped');
    packet.topic = NOWHERE;
    packet.payload = Buffer.alloc(0);
    packet.retain = false;
  };
  /** Wills come this way as well, when their client is gone. A packet of a broker that already stored it is the will of one that lives. */
  const authorizePublish = (client: Client | null, packet: Packet) => {
    if (packet.brokerId !== undefined && !client?.closed) return drop(client, packet, 'stale-will');
    const judgement = judgePublish(client && peers.current(client.id), packet);
    if ('breach' in judgement) return drop(client, packet, judgement.breach);
    packet.retain = judgement.accepted.retain;
    accepted.set(packet, judgement.accepted);
  };
  const published = async (packet: object) => {
    const said = accepted.get(packet);
    if (said && !stopping) await inbound.take(said);
  };
  const follow = (broker: Aedes) => {
    broker.on('clientReady', (client) => connected.set(client.id, client));
    broker.on('clientDisconnect', (client) => {
      if (connected.get(client.id) === client) connected.delete(client.id);
      if (!stopping) handlers.gone(client.id);
    });
    broker.on('clientError', (client, err) =>
      log.info({ node: client.id, err: err.message }, 'connection lost'),
    );
    broker.on('connectionError', (_client, err) => log.info({ err: err.message }, 'connection refused'));
    const emitter: EventEmitter = broker;
    emitter.on('error', (err: Error) => log.error({ err: err.message }, 'broker failed'));
  };
  const open = () =>
    Aedes.createBroker({
      ...settings,
      connectTimeout: limits.connectMs,
      persistence: createPersistence(),
      // Sessions end with their connection: nothing is queued for a node that is away.
      preConnect: (_client, packet, done) => {
        packet.clean = true;
        done(null, true);
      },
      authenticate: (client, user, _password, done) => authenticate(client, user, done),
      authorizePublish: (client, packet, done) => {
        authorizePublish(client, packet);
        done(null);
      },
      authorizeSubscribe: (client, subscription, done) => {
        const peer = peers.current(client.id);
        const granted = peer !== null && maySubscribe(peer, subscription.topic);
        if (!granted) log.warn({ node: client.id, filter: subscription.topic }, 'subscription refused');
        done(null, granted ? subscription : null);
      },
      authorizeForward: (client, packet) =>
        mayReceive(peers.current(client.id), packet.topic) ? packet : null,
      published: (packet: AedesPublishPacket, _client, done) => {
        void published(packet).then(() => done());
      },
    });

  const take = (broker: Aedes, socket: TLSSocket) => {
    const from = socket.remoteAddress;
    bound(socket, frameBounds, (why) => {
      cut.packet += 1;
      log.warn({ node: client.id, from, err: why }, 'connection cut');
    });
    const client = broker.handle(socket);
  };
  const kick = async (node: string) => {
    const client = connected.get(node);
    if (client) await new Promise<void>((resolve) => client.close(resolve));
  };
  return {
    start: async () => {
      const broker = await open();
      follow(broker);
      aedes = broker;
      return async () => {
        await new Promise<void>((resolve) => broker.close(resolve));
      };
    },
    listen: async () => {
      const broker = aedes;
      if (!broker) throw new Error('the broker is not open');
      const opened = await openServer(listen, tls, (socket) => take(broker, socket), refused);
      server = opened.server;
      server.maxConnections = limits.connections;
      server.on('drop', () => {
        cut.connection += 1;
      });
      return () => {
        // Whoever is cut from here on is cut by us: that is no news of the nodes.
        stopping = true;
        return opened.close();
      };
    },
    port: () => portOf(server),
    publish,
    clear,
    kick,
    forget: async (node) => {
      await kick(node);
      await clear(topicOf.status(node));
      await clear(topicOf.head(`node/${node}`));
    },
    online: () => [...connected.keys()],
    addressOf: (node) => (connected.get(node)?.conn as TLSSocket | undefined)?.remoteAddress,
    counts: () => ({ ...dropped, ...cut, 'turned-away': inbound.turnedAway() }),
  };
}

function portOf(server: Server | undefined): number {
  const bound = server?.address();
  if (!bound || typeof bound === 'string') throw new Error('the broker does not listen');
  return bound.port;
}

/** The TLS listener: only those with a certificate of our authority get as far as MQTT. */
async function openServer(
  listen: BrokerOptions['listen'],
  tls: BrokerOptions['tls'],
  accept: (socket: TLSSocket) => void,
  refused: BrokerOptions['refused'],
): Promise<{ server: Server; close: () => Promise<void> }> {
  const secure = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const;
  const server = createServer({
    ...secure,
    ...tls.current(),
    noDelay: true,
    handshakeTimeout: HANDSHAKE_MS,
  });
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', accept);
  watchHandshakes(server, refused);
  const forgetRenewal = tls.onRenewed(() => server.setSecureContext({ ...secure, ...tls.current() }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.address, resolve);
  });
  const close = async () => {
    forgetRenewal();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { server, close };
}
