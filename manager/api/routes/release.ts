/** The downloads for boxes that are about to join. They hold no secret and need no token. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

export function releaseRoutes({ release }: Given): Pick<Handlers, 'installer' | 'agentBundle'> {
  return {
    installer: ({ reply }) => reply.type('text/plain; charset=utf-8').send(release.script()),
    agentBundle: ({ request, reply }) => {
      const { size, stream } = release.bundle();
      // Fastify ends the stream with the answer; a box that goes away before that must not keep its place.
      request.raw.once('close', () => stream.destroy());
      return reply.type('application/octet-stream').header('content-length', size).send(stream);
    },
  };
}
