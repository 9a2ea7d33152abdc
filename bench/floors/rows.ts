/** The floor of the queue: requests over mutual TLS, connections kept, that each leave one durable row, and nothing else. */
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import sqlite3 from 'sqlite3';
import { serve, sharedNow } from '../worker.ts';
import type { Credential } from './handshakes.ts';

const ADDRESS = '127.0.0.1';

async function listen({ file, ...credential }: Credential & { file: string }): Promise<number> {
  const database = new sqlite3.Database(file);
  const run = (sql: string) => promisify(database.exec.bind(database))(sql);
  await run('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  await run('CREATE TABLE entry (rev INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO entry (body) VALUES (?)');
  const asking = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const;
  const server = createServer({ ...credential, ...asking }, (incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts).toString();
      insert.run(body, (err: Error | null) => response.writeHead(err ? 500 : 200).end(body));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, ADDRESS, () => resolve((server.address() as AddressInfo).port));
  });
}

interface Measuring extends Credential {
  port: number;
  clients: number;
  each: number;
  body: string;
}

/** Milliseconds for all of them, each client one after the other. */
async function measure({ port, clients, each, body, ...credential }: Measuring): Promise<number> {
  const begun = sharedNow();
  const client = async () => {
    const agent = new Agent({ ...credential, keepAlive: true, maxSockets: 1 });
    for (let turn = 0; turn < each; turn += 1) await one(agent, port, body);
    agent.destroy();
  };
  await Promise.all(Array.from({ length: clients }, client));
  return sharedNow() - begun;
}

const one = (agent: Agent, port: number, body: string) =>
  new Promise<void>((resolve, reject) => {
    const sent = request({ host: ADDRESS, port, method: 'POST', agent, timeout: 30_000 }, (response) => {
      response.on('data', () => undefined);
      response.once('error', reject);
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', reject);
    sent.end(body);
  });

serve({ listen, measure });
