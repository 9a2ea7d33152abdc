/** The floors of a fleet, measured beside it: a broker without any rule of ours, and bare handshakes. */
import type { Credential } from '../floors/handshakes.ts';
import { residentKb } from '../resident.ts';
import { startWorker, type Worker } from '../worker.ts';

interface FloorOptions {
  /** What the clients show, and what the server shows. */
  credential: Credential;
  server: Credential;
}

export interface BrokerFloor {
  /** For each turn the milliseconds from publishing to each arrival. */
  tcp: number[][];
  tls: number[][];
  /** Resident memory of the broker for each connected client over TLS. */
  kbEach: number;
}

const WARM_UP = 3;
const TOPIC = 'floor';

/** A payload of the same size from a plain aedes to the same number of clients. */
export async function brokerFloor(
  options: FloorOptions & { count: number; payload: number; turns: number },
): Promise<BrokerFloor> {
  const broker = startWorker('../floors/broker.ts', import.meta.url);
  const subscribers = startWorker('../floors/subscribers.ts', import.meta.url);
  try {
    const ports = await broker.call<{ tcp: number; tls: number }>('listen', options.server);
    const scene = { ...options, broker, subscribers };
    const before = residentKb(broker.pid);
    const tls = await fanOut({ ...scene, port: ports.tls, secure: true });
    const kbEach = (tls.residentKb - before) / options.count;
    const tcp = await fanOut({ ...scene, port: ports.tcp, secure: false });
    return { tcp: tcp.latencies, tls: tls.latencies, kbEach };
  } finally {
    await subscribers.stop();
    await broker.stop();
  }
}

interface FanOut {
  broker: Worker;
  subscribers: Worker;
  credential: Credential;
  port: number;
  secure: boolean;
  count: number;
  payload: number;
  turns: number;
}

async function fanOut({ broker, subscribers, credential, port, secure, count, payload, turns }: FanOut) {
  const how = { count, port, topic: TOPIC, ...(secure ? { credential } : {}) };
  await subscribers.call('subscribe', how, 120_000);
  const latencies: number[][] = [];
  for (let turn = 0; turn < turns + WARM_UP; turn += 1) {
    const at = await broker.call<number>('publish', { topic: TOPIC, payload: 'x'.repeat(payload) });
    const arrivals = await subscribers.call<number[]>('take');
    if (turn >= WARM_UP) latencies.push(arrivals.map((arrival) => arrival - at));
  }
  const kb = residentKb(broker.pid);
  await subscribers.call('leave');
  return { latencies, residentKb: kb };
}

const HANDSHAKES = 1500;
const AT_ONCE = 16;

/** Mutual TLS handshakes a second, on the same two processes that manager and fleet have. */
export async function handshakeFloor({ credential, server }: FloorOptions): Promise<number> {
  const [listener, client] = [
    startWorker('../floors/handshakes.ts', import.meta.url),
    startWorker('../floors/handshakes.ts', import.meta.url),
  ];
  try {
    const port = await listener.call<number>('listen', server);
    await client.call('measure', { ...credential, port, count: 100, atOnce: AT_ONCE });
    return await client.call<number>('measure', { ...credential, port, count: HANDSHAKES, atOnce: AT_ONCE });
  } finally {
    await client.stop();
    await listener.stop();
  }
}
