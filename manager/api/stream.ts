/** Server-sent events to one reader: bounded, beaten, and ended with a word where it is cut off. */
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError, problemDocument } from '../../protocol/errors.ts';
import type { Caller, Given } from './given.ts';

const BEAT_MS = 15_000;
/** What may wait for one reader. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** An old line is waited for this long to be taken, a cut-off reader to read why. */
const PATIENCE_MS = 30_000;

/** One line; with an id the reader can go on after it. */
export interface Line {
  type: string;
  id?: string;
}

export interface Stream {
  lines(lines: readonly Line[]): Promise<void>;
  /** Says why, and ends; after so long whether that was read or not. */
  failed(error: EvenkeelError, patience?: number): void;
  isOver(): boolean;
  end(): void;
  onEnd(listener: () => void): void;
}

export interface Streams {
  /** Answers with a stream, which ends when the token of its reader opens nothing any more. */
  open(asked: { reply: FastifyReply; caller: Caller }): Stream;
  /** Ends every stream, so that the server can close. */
  closeAll(): void;
}

/** How often a stream looks whether its token still stands, and how long the word that it does not is waited for. */
const LOOK_MS = 500;

export function createStreams({ clock, store: { tokens } }: Pick<Given, 'clock' | 'store'>): Streams {
  const streams = new Set<Stream>();
  return {
    open: ({ reply, caller }) => {
      const stream = createStream(reply, clock);
      const stopLooking = clock.every(LOOK_MS, () => {
        if (tokens.stands(caller)) return;
        stopLooking();
        const revoked = new EvenkeelError('unauthenticated', `the token ${caller.name} was revoked`);
        stream.failed(revoked, LOOK_MS / 2);
      });
      streams.add(stream);
      stream.onEnd(() => {
        stopLooking();
        streams.delete(stream);
      });
      return stream;
    },
    closeAll: () => {
      for (const stream of [...streams]) stream.end();
    },
  };
}

function createStream(reply: FastifyReply, clock: Clock): Stream {
  const { raw } = reply.hijack();
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream',
  });
  raw.write('retry: 2000\n\n');
  const stopBeats = clock.every(BEAT_MS, () => raw.write(': beat\n\n'));
  // Of one who has left already nothing more is heard.
  const onEnd = (listener: () => void) => (raw.destroyed ? listener() : raw.once('close', listener));
  onEnd(stopBeats);
  let draining: Promise<void> | undefined;
  const isOver = () => raw.writableEnded || raw.destroyed;
  const failed = (error: EvenkeelError, patience = PATIENCE_MS) => {
    if (isOver()) return;
    raw.end(`event: error\ndata: ${onOneLine(problemDocument(error))}\n\n`);
    const giveUp = clock.after(patience, () => raw.destroy());
    raw.once('close', giveUp);
  };
  return {
    ...{ failed, isOver, onEnd },
    end: () => raw.end(),
    lines: async (lines) => {
      if (isOver()) return;
      if (raw.writableLength > MOST_WAITING_BYTES)
        return failed(new EvenkeelError('slow-reader', `too much waits for this reader; ${goesOnBy(lines)}`));
      for (const line of lines)
        raw.write(`${line.id === undefined ? '' : `id: ${line.id}\n`}data: ${onOneLine(line)}\n\n`);
      if (!raw.writableNeedDrain) return;
      // Waited for once, however many lines wait for it.
      draining ??= drained(raw, clock).finally(() => {
        draining = undefined;
      });
      await draining;
    },
  };
}

/** Two marks end a line for some readers, and stand in JSON as they are. */
const onOneLine = (value: object): string =>
  JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');

/** What has no ids tells from the beginning how everything stands. */
const goesOnBy = (lines: readonly Line[]): string =>
  lines.some(({ id }) => id !== undefined)
    ? 'resume at its last id'
    : 'open it again: it begins with how all stands';

/** Waits until what was written is taken, the stream is over, or patience is. */
const drained = (raw: FastifyReply['raw'], clock: Clock): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      undo();
      for (const event of ['drain', 'close']) raw.off(event, done);
      resolve();
    };
    const undo = clock.after(PATIENCE_MS, done);
    for (const event of ['drain', 'close']) raw.once(event, done);
  });
