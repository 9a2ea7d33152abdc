/** Headers on every answer: nothing is cached, nothing is framed, and the request's id leads to the log. */
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import { EvenkeelError } from '../../../protocol/errors.ts';

export async function setHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-request-id', request.id);
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined)
      throw new EvenkeelError('bad-request', 'a request of HTTP/1.1 needs the header Host');
  });
}
