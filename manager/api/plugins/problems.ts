/** Problems: every error leaves as a problem document with a stable code; what is inside a failure stays in the log. */
import { randomInt } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, EvenkeelError, messageOf, problemDocument } from '../../../protocol/errors.ts';

/** What fastify itself refuses, in our words. */
const codes: Record<number, ErrorCode> = {
  404: 'not-found',
  405: 'method-not-allowed',
  413: 'payload-too-large',
  415: 'unsupported-media-type',
  429: 'rate-limited',
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
