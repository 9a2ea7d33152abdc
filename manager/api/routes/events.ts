/** The event stream over HTTP: a list of what was, or server-sent events of what comes, bounded for each reader. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Given } from '../given.ts';
import type { Asked, Handlers } from '../mount.ts';
import type { Streams } from '../stream.ts';

export function eventRoutes({ events }: Pick<Given, 'events'>, streams: Streams): Pick<Handlers, 'events'> {
  /** Asked for with Last-Event-ID, a stream begins after that line; else with the newest lines. */
  const follow = async (asked: Asked<'events'>): Promise<FastifyReply> => {
    const { limit, follow: _, since, ...filter } = asked.query;
    const first = await events.read({ ...filter, since: lastIdOf(asked.request) ?? since, limit });
    const stream = streams.open(asked);
    let unfollow = () => undefined as unknown;
    stream.onEnd(() => unfollow());
    await stream.lines(first.items);
    if (!stream.isOver()) unfollow = events.follow({ ...filter, since: first.next }, stream);
    return asked.reply;
  };
  return {
    events: async (asked) => {
      const { limit, follow: live, ...query } = asked.query;
      return live ? follow(asked) : events.read({ ...query, limit });
    },
  };
}

function lastIdOf(request: FastifyRequest): string | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}
