/** A receiver of webhooks, as somebody else would write it: five lines judge what it is sent. */
import { verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PoolMembers } from '../../protocol/external.ts';

export interface Received {
  headers: Record<string, string>;
  body: string;
  members: PoolMembers;
}

export interface Receiver {
  port: number;
  url: string;
  /** What was taken, oldest first. */
  taken: Received[];
  /** Every try, also of what was not taken. */
  tries: Received[];
  /** What it answers; null: nothing at all. */
  answer: (status: number | null) => void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The five lines of docs/external-balancer.md. */
export function isGenuine({ headers, body }: Pick<Received, 'headers' | 'body'>, key: string, now: number) {
  const sent = headers['evenkeel-timestamp'] ?? '';
  const signature = Buffer.from(headers['evenkeel-signature'] ?? '', 'base64');
  const isOurs = verify(null, Buffer.from(`${sent}.${body}`), key, signature);
  return isOurs && Math.abs(now / 1000 - Number(sent)) < 300;
}

export async function createReceiver(): Promise<Receiver> {
  let server: Server | undefined;
  let answer: number | null = 204;
  const receiver: Receiver = {
    port: 0,
    url: '',
    taken: [],
    tries: [],
    answer: (status) => {
      answer = status;
    },
    start: async () => {
      server = createServer((request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', (part: string) => {
          body += part;
        });
        request.on('end', () => {
          const headers = request.headers as Record<string, string>;
          const received = { headers, body, members: JSON.parse(body) as PoolMembers };
          receiver.tries.push(received);
          if (answer === null) return;
          if (answer < 300) receiver.taken.push(received);
          response.writeHead(answer, { location: '/elsewhere' }).end('thank you');
        });
      });
      server.listen(receiver.port, '127.0.0.1');
      await once(server, 'listening');
      receiver.port = (server.address() as AddressInfo).port;
      receiver.url = `http://127.0.0.1:${receiver.port}/members`;
    },
    stop: async () => {
      server?.closeAllConnections();
      await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
      server = undefined;
    },
  };
  await receiver.start();
  return receiver;
}
