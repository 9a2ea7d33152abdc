/** Plain MQTT clients that note when a message reaches each of them. */
import { connect, type MqttClient } from 'mqtt';
import { serve, sharedNow } from '../worker.ts';
import type { Credential } from './handshakes.ts';

interface Subscribing {
  count: number;
  port: number;
  topic: string;
  /** Over mutual TLS with this; else over plain TCP. */
  credential?: Credential;
}

const AT_ONCE = 32;
let clients: MqttClient[] = [];
let arrivals: number[] = [];

async function subscribe({ count, port, topic, credential }: Subscribing): Promise<void> {
  const made: MqttClient[] = [];
  const one = async (index: number) => {
    const client = await open(index, port, credential);
    client.on('message', () => arrivals.push(sharedNow()));
    await client.subscribeAsync(topic, { qos: 0 });
    made.push(client);
  };
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) await one(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  clients = made;
}

async function open(index: number, port: number, credential: Credential | undefined): Promise<MqttClient> {
  const secure = credential ? { protocol: 'mqtts' as const, ...credential } : { protocol: 'mqtt' as const };
  const client = connect({ ...secure, host: '127.0.0.1', port, clientId: `s${index}`, reconnectPeriod: 0 });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  return client;
}

/** The moments of the messages since the last call, once every client has one. */
async function take(): Promise<number[]> {
  const deadline = sharedNow() + 10_000;
  while (arrivals.length < clients.length && sharedNow() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 2));
  const taken = arrivals;
  arrivals = [];
  if (taken.length < clients.length) throw new Error(`${taken.length} of ${clients.length} clients had it`);
  return taken;
}

function leave(): void {
  for (const client of clients) client.end(true);
  clients = [];
  arrivals = [];
}

serve({ subscribe, take, leave });
