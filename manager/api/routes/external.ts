/** For balancers that somebody else runs: who should be in a pool, and how the webhook gets on. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

export const externalRoutes = ({ external }: Given): Pick<Handlers, 'members' | 'external'> => ({
  members: ({ params: { service }, request, reply }) => {
    const members = external.members(service);
    const tag = `"${members.epoch}-${members.seq}"`;
    reply.header('etag', tag);
    if (request.headers['if-none-match'] === tag) return reply.code(304).send();
    return members;
  },
  external: () => external.view(),
});
