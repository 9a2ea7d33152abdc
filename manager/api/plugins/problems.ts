/** Problems: every error, also of a request that is hardly one, leaves as a problem document with a stable code; what is inside a failure stays in the log. */
import { randomInt } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, EvenkeelError, messageOf, problemDocument } from '../../../protocol/errors.ts';

/** Longer than every name. */
export const LONGEST_PARAM = 600;

/** What fastify itself refuses, in our words. */
const codes: Record<number, ErrorCode> = {
  404: 'not-found',
  405: 'method-not-allowed',
  413: 'payload-too-large',
  415: 'unsupported-media-type',
  429: 'rate-limited',
};

/** What the parser of HTTP refuses, before there is a request. */
const broken: Record<string, ErrorCode> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
};

/** Its own message repeats the path, whatever that is. */
const words: Record<string, string> = {
  FST_ERR_BAD_URL: 'the path is not percent-encoded as it should be',
  FST_ERR_MAX_PARAM_LENGTH: `a part of the path is longer than ${LONGEST_PARAM} characters`,
};

/** For fastify itself: what it refuses before any handler of ours is asked. */
export const beforeHandlers = {
  frameworkErrors: (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    reply.header('cache-control', 'no-store').header('x-request-id', request.id);
    const { code } = thrown as { code?: string };
    const detail = words[code ?? ''] ?? 'the request cannot be routed';
    void answerError(new EvenkeelError('bad-request', detail, { cause: thrown }), request, reply);
  },
  clientErrorHandler: (thrown: Error & { code?: string }, socket: Socket) => {
    if (thrown.code === 'ECONNRESET' || socket.destroyed) return;
    const error = new EvenkeelError(
      broken[thrown.code ?? ''] ?? 'bad-request',
      'this is no HTTP/1.1 request that can be answered',
    );
    const body = JSON.stringify(problemDocument(error));
    const head = [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      ...['cache-control: no-store', 'connection: close'],
    ];
    if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
    socket.destroy(thrown);
  },
};

export function answerProblems(app: FastifyInstance): void {
  app.setNotFoundHandler(() => {
    throw new EvenkeelError('not-found', 'there is no such path; see /api/v1/openapi.json');
  });
  app.setErrorHandler((thrown, request, reply) => answerError(codedOf(thrown), request, reply));
}

function codedOf(thrown: unknown): EvenkeelError {
  if (thrown instanceof EvenkeelError) return thrown;
  const status = (thrown as { statusCode?: number } | null)?.statusCode ?? 500;
  if (status >= 500) return new EvenkeelError('internal', messageOf(thrown), { cause: thrown });
  return new EvenkeelError(codes[status] ?? 'bad-request', messageOf(thrown), { cause: thrown });
}

function answerError(error: EvenkeelError, request: FastifyRequest, reply: FastifyReply) {
  if (error.status === 500) request.log.error({ code: error.code, err: error }, 'request failed');
  if (error.status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', randomInt(1, 6));
  return reply
    .code(error.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemDocument(shown(error, request), request.url.split('?')[0])));
}

/** Of what failed inside, the caller learns the code and where the log tells more. */
const shown = (error: EvenkeelError, { id }: FastifyRequest): EvenkeelError =>
  error.code === 'internal' || error.code === 'store-failed'
    ? new EvenkeelError(error.code, `it failed inside; the manager's log has it under request ${id}`)
    : error;
