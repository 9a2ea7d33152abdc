/** The event stream over HTTP: a list of what was, or server-sent events of what comes, bounded for each reader. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../../common/clock.ts';
import { EvenkeelError, problemDocument } from '../../../protocol/errors.ts';
import type { EventLine } from '../../../protocol/views.ts';
import type { Given } from '../given.ts';
import type { Asked, Handlers } from '../mount.ts';

export interface EventRoutes extends Pick<Handlers, 'events'> {
  /** Ends every stream, so that the server can close. */
  closeAll(): void;
}

const BEAT_MS = 15_000;
/** What may wait for one reader. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** An old line is waited for this long to be taken, a cut-off reader to read why. */
const PATIENCE_MS = 30_000;
/** How often a stream looks whether its token still stands, and how long the word that it does not is waited for. */
const LOOK_MS = 500;

export function eventRoutes({
  events,
  clock,
  store: { tokens },
}: Pick<Given, 'events' | 'clock' | 'store'>): EventRoutes {
  const streams = new Set<Stream>();
  /** Asked for with Last-Event-ID, a stream begins after that line; else with the newest lines. */
  const follow = async ({ query, caller, request, reply }: Asked<'events'>): Promise<FastifyReply> => {
    const { limit, follow: _, since, ...filter } = query;
    const first = await events.read({ ...filter, since: lastIdOf(request) ?? since, limit });
    const stream = createStream(reply, clock);
    let unfollow = () => undefined as unknown;
    const stopLooking = clock.every(LOOK_MS, () => {
      if (tokens.stands(caller)) return;
      unfollow();
      stream.failed(
        new EvenkeelError('unauthenticated', `the token ${caller.name} was revoked`),
        LOOK_MS / 2,
      );
    });
    streams.add(stream);
    stream.onEnd(() => {
      stopLooking();
      unfollow();
      streams.delete(stream);
    });
    await stream.lines(first.items);
    if (!stream.isOver()) unfollow = events.follow({ ...filter, since: first.next }, stream);
    return reply;
  };
  return {
    events: async (asked) => {
      const { limit, follow: live, ...query } = asked.query;
      return live ? follow(asked) : events.read({ ...query, limit });
    },
    closeAll: () => {
      for (const stream of [...streams]) stream.end();
    },
  };
}

function lastIdOf(request: FastifyRequest): string | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}

interface Stream {
  lines(lines: EventLine[]): Promise<void>;
  /** Says why, and ends; after so long whether that was read or not. */
  failed(error: EvenkeelError, patience?: number): void;
  isOver(): boolean;
  end(): void;
  onEnd(listener: () => void): void;
}

function createStream(reply: FastifyReply, clock: Clock): Stream {
  const { raw } = reply.hijack();
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream',
  });
  raw.write('retry: 2000\n\n');
  const stopBeats = clock.every(BEAT_MS, () => raw.write(': beat\n\n'));
  raw.once('close', stopBeats);
  const isOver = () => raw.writableEnded || raw.destroyed;
  const failed = (error: EvenkeelError, patience = PATIENCE_MS) => {
    if (isOver()) return;
    raw.end(`event: error\ndata: ${JSON.stringify(problemDocument(error))}\n\n`);
    const giveUp = clock.after(patience, () => raw.destroy());
    raw.once('close', giveUp);
  };
  return {
    failed,
    isOver,
    end: () => raw.end(),
    onEnd: (listener) => raw.once('close', listener),
    lines: async (lines) => {
      if (isOver()) return;
      if (raw.writableLength > MOST_WAITING_BYTES)
        return failed(
          new EvenkeelError('slow-reader', 'too much waits for this reader; resume at its last id'),
        );
      for (const line of lines) raw.write(`id: ${line.id}\ndata: ${JSON.stringify(line)}\n\n`);
      await drained(raw, clock);
    },
  };
}

/** Waits until what was written is taken, the stream is over, or patience is. */
const drained = (raw: FastifyReply['raw'], clock: Clock): Promise<void> =>
  new Promise((resolve) => {
    if (!raw.writableNeedDrain) return resolve();
    const done = () => {
      undo();
      for (const event of ['drain', 'close']) raw.off(event, done);
      resolve();
    };
    const undo = clock.after(PATIENCE_MS, done);
    for (const event of ['drain', 'close']) raw.once(event, done);
  });
