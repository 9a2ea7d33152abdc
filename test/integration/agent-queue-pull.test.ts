/** The pull of a node's commands over real TLS: what is told arrives whole, and only what the cluster signed for this node is believed. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createQueuePull } from '../../agent/queue/pull.ts';
import { seal } from '../../common/envelope.ts';
import { issueServer, makeAuthority } from '../../manager/pki/x509.ts';
import type { QueuePull } from '../../protocol/queue.ts';

const keys = generateKeyPairSync('ed25519');
const said: QueuePull = { ledger: 'a'.repeat(36), results: [], working: { run: 'abcdefghijkl', number: 2 } };
const answer = { type: 'queue', cluster: 'c1', node: 'web1', next: null, cancel: null, kept: [] };

let server: Server;
let heard: unknown[];
let reply: { status: number; headers?: Record<string, string>; body: unknown };
let pull: ReturnType<typeof createQueuePull>;
let handshakes: number;
let credentials: { key: string; cert: string; ca: string };
beforeEach(async () => {
  [heard, handshakes] = [[], 0];
  reply = { status: 200, body: seal(answer, keys.privateKey) };
  const authority = await makeAuthority(Date.now());
  const { certificate: cert, key } = await issueServer(authority, ['127.0.0.1'], Date.now(), 3_600_000);
  const tls = { cert, key, minVersion: 'TLSv1.3' as const };
  server = createServer(tls, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    heard.push([request.method, request.url, JSON.parse(Buffer.concat(parts).toString())]);
    response.writeHead(reply.status, reply.headers);
    response.end(JSON.stringify(reply.body));
  }).listen(0, '127.0.0.1');
  server.on('secureConnection', () => {
    handshakes += 1;
  });
  await once(server, 'listening');
  credentials = { key, cert, ca: authority.certificate };
  const { port } = server.address() as AddressInfo;
  pull = createQueuePull({
    ...{ node: 'web1', cluster: 'c1', address: '127.0.0.1', port, signingKey: keys.publicKey },
    credentials: () => credentials,
  });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it('[5.3] a node tells what it has and works on, and gets what the manager signed', async () => {
  expect(await pull(said)).toEqual(answer);
  expect(heard).toEqual([['POST', '/v1/queue', said]]);
});

it('[5.3] a manager that is busy is asked again when it says; one that refuses says why', async () => {
  reply = { status: 503, headers: { 'retry-after': '7' }, body: {} };
  const { againAfter } = (await pull(said)) as { againAfter: number };
  expect(againAfter).toBeGreaterThanOrEqual(7_000);
  expect(againAfter).toBeLessThan(8_000);
  reply = { status: 503, body: { code: 'manager-held', detail: 'held' } };
  await expect(pull(said)).rejects.toMatchObject({ code: 'manager-held' });
});

it('[5.3] what another key signed, or was signed for another node or cluster, is not believed', async () => {
  const other = generateKeyPairSync('ed25519').privateKey;
  for (const body of [
    seal(answer, other),
    seal({ ...answer, node: 'web2' }, keys.privateKey),
    seal({ ...answer, cluster: 'c2' }, keys.privateKey),
    seal({ ...answer, next: { run: '; reboot' } }, keys.privateKey),
    { hello: 'there' },
  ]) {
    reply = { status: 200, body };
    await expect(pull(said)).rejects.toMatchObject({ code: 'signature-invalid' });
  }
});

it('[5.3] one command after the other goes over one connection, and a renewed certificate has another', async () => {
  for (let turn = 0; turn < 3; turn += 1) await pull(said);
  expect(handshakes).toBe(1);
  credentials = { ...credentials, cert: `${credentials.cert}\n` };
  await pull(said);
  expect(handshakes).toBe(2);
});

it('[5.3] a connection that the manager has closed meanwhile is not asked again', async () => {
  await pull(said);
  server.closeAllConnections();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await pull(said)).toEqual(answer);
  expect(handshakes).toBe(2);
});
