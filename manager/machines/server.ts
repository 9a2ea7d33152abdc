/** What nodes call: desired state and certificates, over TLS that always asks for the node's own certificate. */

import type { X509Certificate } from 'node:crypto';
import { randomInt } from 'node:crypto';
import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import Fastify, { type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { Compile } from 'typebox/compile';
import { watchHandshakes } from '../../common/handshakes.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, problemDocument } from '../../protocol/errors.ts';
import { machines } from '../../protocol/machines.ts';
import type { Envelope } from '../../protocol/messages.ts';
import type { QueuePull } from '../../protocol/queue.ts';
import { type Peer, scopesOf } from '../../protocol/topics.ts';
import { type Answers, type AnswersOptions, createAnswers } from './answers.ts';

export interface MachinesOptions extends AnswersOptions {
  listen: { address: string; port: number };
  tls: {
    current(): { key: string; cert: string; ca: string };
    onRenewed(listener: () => void): () => void;
  };
  peers: { admit(certificate: X509Certificate | undefined, from?: string): Peer };
  /** Hears of the address of each box that did not get through the TLS handshake. */
  refused: (from: string) => void;
  /** A new certificate for a node that shows its valid one. */
  renew: (node: string, csr: string) => Promise<{ certificate: string; ca: string }>;
  /** A node takes itself away. @throws EvenkeelError identity-copied */
  leave: (node: string, run: string) => Promise<void>;
  /** What a node tells of its commands, and asks. */
  queue: (node: string, pull: QueuePull) => Promise<Envelope>;
  /** Whether the manager is held: then it shows nobody any state. */
  held: () => boolean;
  log: Log;
}

export interface Machines {
  /** Listens; returns its undo. */
  start(): Promise<() => Promise<void>>;
  port(): number;
  counts: Answers['counts'];
}

const secure = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const;
const query = Compile(machines.changes.query);
const renewal = Compile(machines.renew.body);
const leaving = Compile(machines.leave.body);
const pulling = Compile(machines.queue.body);
/** Eight results with all that may be kept of what they said, in the worst of spellings. */
const QUEUE_LIMIT = 4 * 1024 * 1024;
const REQUEST_MS = 60_000;

export function createMachines(options: MachinesOptions): Machines {
  const { listen, tls, peers, renew, log } = options;
  const answers = createAnswers(options);
  const certificateOf = createCertificates();
  const peerOf = (request: FastifyRequest): Peer =>
    peers.admit(certificateOf(request.raw.socket as TLSSocket), request.ip);
  const app = Fastify({
    https: { ...secure, ...tls.current() },
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: REQUEST_MS,
    bodyLimit: 16 * 1024,
    return503OnClosing: true,
  });
  const server = app.server as unknown as Server;
  watchHandshakes(server, options.refused);

  app.setErrorHandler((thrown, request, reply) => answerError(asCoded(thrown), request, reply));
  app.setNotFoundHandler(() => {
    throw new EvenkeelError('not-found', 'there is no such path');
  });
  app.get('/v1/scopes/*', async (request, reply) => {
    const scope = scopeIn(request);
    const asked: unknown = numbers(request.query);
    if (!query.Check(asked)) throw new EvenkeelError('bad-request', 'epoch and since must be revisions');
    if (!scopesOf(peerOf(request)).includes(scope))
      throw new EvenkeelError('forbidden', `the scope ${scope} is not for this node`);
    if (options.held()) throw new EvenkeelError('manager-held', 'nothing is shown until an operator resumes');
    const { plain, zipped } = await answers.answer(scope, asked.epoch, asked.since);
    const zip = zipped !== undefined && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    if (zip) reply.header('content-encoding', 'gzip');
    return reply.type('application/json').send(zip ? zipped : plain);
  });
  app.post(machines.queue.path, { bodyLimit: QUEUE_LIMIT }, async (request, reply) => {
    const { node } = peerOf(request);
    if (!pulling.Check(request.body)) throw new EvenkeelError('bad-request', 'no results and no record');
    if (options.held())
      throw new EvenkeelError('manager-held', 'nothing is handed out until an operator resumes');
    const answer = await options.queue(node, request.body);
    return reply.type('application/json').send(JSON.stringify(answer));
  });
  app.get(machines.standing.path, async (request) => ({ node: peerOf(request).node }));
  app.post(machines.leave.path, async (request) => {
    const { node } = peerOf(request);
    if (!leaving.Check(request.body)) throw new EvenkeelError('bad-request', 'a leave without a run');
    await options.leave(node, request.body.run);
    return { node };
  });
  app.post(machines.renew.path, async (request) => {
    const { node } = peerOf(request);
    if (!renewal.Check(request.body)) throw new EvenkeelError('bad-request', 'a request without a csr');
    return renew(node, request.body.csr);
  });
  return {
    start: async () => {
      await app.listen({ host: listen.address, port: listen.port });
      const forgetRenewal = tls.onRenewed(() => server.setSecureContext({ ...secure, ...tls.current() }));
      return async () => {
        forgetRenewal();
        server.closeAllConnections();
        await app.close();
      };
    },
    port: () => {
      const bound = server.address();
      if (!bound || typeof bound === 'string') throw new Error('the machines server does not listen');
      return bound.port;
    },
    counts: answers.counts,
  };
}

/** The one that a connection has shown, read once. */
function createCertificates() {
  const shown = new WeakMap<TLSSocket, X509Certificate>();
  return (socket: TLSSocket): X509Certificate | undefined => {
    const certificate = shown.get(socket) ?? socket.getPeerX509Certificate();
    if (certificate) shown.set(socket, certificate);
    return certificate;
  };
}

/** `role/web` of `/v1/scopes/role/web/changes`. */
function scopeIn(request: FastifyRequest): string {
  const path = (request.params as { '*': string })['*'];
  if (!path.endsWith('/changes')) throw new EvenkeelError('not-found', 'there is no such path');
  return path.slice(0, -'/changes'.length);
}

const numbers = (query: unknown) =>
  Object.fromEntries(
    Object.entries(query as Record<string, string>).map(([key, value]) => [key, Number(value)]),
  );

function asCoded(thrown: unknown): EvenkeelError {
  if (thrown instanceof EvenkeelError) return thrown;
  const status = (thrown as { statusCode?: number }).statusCode ?? 500;
  if (status < 500)
    return new EvenkeelError('bad-request', 'the request cannot be understood', { cause: thrown });
  return new EvenkeelError('internal', 'something inside failed', { cause: thrown });
}

/** Who is told to come again is told when, each at another moment. */
function answerError(error: EvenkeelError, request: FastifyRequest, reply: FastifyReply) {
  const later = error.status === 503;
  if (later) reply.header('retry-after', randomInt(1, 6));
  else if (error.status >= 500) request.log.error({ code: error.code, err: error }, 'request failed');
  return reply
    .code(error.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemDocument(error, request.url)));
}
