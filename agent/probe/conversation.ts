/** A conversation in lines, as smtp, imap, pop3 and ftp hold it: over TLS or not, bounded in bytes, ended by a signal. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { connect as connectTls } from 'node:tls';
import type { TalkTarget } from '../../common/render/resolved.ts';
import { tlsOptions } from './tls.ts';

export interface Conversation {
  /** How the other side sees us. */
  ownAddress: string;
  say(line: string): void;
  /** The next line, without its end. @throws when the other side closes, or has said too much */
  hear(): Promise<string>;
  /** From here on over TLS. @throws when the certificate does not count */
  secure(): Promise<void>;
}

/** What a daemon may say in one conversation. */
const MOST_HEARD = 64 * 1024;

/**
 * Connects, over TLS at once when it is implicit, holds the conversation, and leaves no socket behind however it ends.
 * @param signal ends it
 */
export async function converse<Result>(
  target: TalkTarget,
  signal: AbortSignal,
  hold: (conversation: Conversation) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const sockets: Socket[] = [];
  const end = (reason?: Error) => {
    for (const socket of sockets) socket.destroy(reason);
  };
  const abort = () => end(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await hold(await open(target, signal, sockets));
  } finally {
    signal.removeEventListener('abort', abort);
    end();
  }
}

/** @param sockets gets every socket that is opened; the last is the one that is spoken over */
async function open(target: TalkTarget, signal: AbortSignal, sockets: Socket[]): Promise<Conversation> {
  let socket: Socket;
  let lines: ReturnType<typeof createLines>;
  const speakOver = async (next: Socket, ready: string) => {
    sockets.push(next);
    // Whoever waits for the socket gets its error; this listener is for the moments in which nobody waits.
    next.on('error', () => undefined);
    await once(next, ready, { signal });
    socket = next;
    lines = createLines(next);
  };
  const secure = async () => {
    if (lines.held() !== '') throw new Error('spoke on after it had agreed to TLS');
    await speakOver(connectTls({ socket, ...(await tlsOptions(target, signal)) }), 'secureConnect');
  };
  await speakOver(connect({ host: target.address, port: target.port }), 'connect');
  if (target.tls === 'implicit') await secure();
  return {
    ownAddress: sockets[0]?.localAddress ?? '',
    say: (line) => void socket.write(`${line}\r\n`),
    hear: () => lines.next(),
    secure,
  };
}

/**
 * Reads no more of a socket than the line needs that is asked for. The socket itself goes on giving bytes: TLS takes
 * over what it still holds, and would end the process over a text.
 */
function createLines(socket: Socket) {
  const parts = socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  const decoder = new StringDecoder('utf8');
  let held = '';
  let heard = 0;
  const next = async (): Promise<string> => {
    for (;;) {
      const end = held.indexOf('\n');
      if (end >= 0) {
        const line = held.slice(0, end).replace(/\r$/, '');
        held = held.slice(end + 1);
        return line;
      }
      if (heard > MOST_HEARD) throw new Error(`said more than ${MOST_HEARD} bytes: ${held.slice(0, 80)}`);
      const { value, done } = (await parts.next()) as IteratorResult<Buffer, undefined>;
      if (done) throw new Error(`closed the connection${held === '' ? '' : ` after ${held.slice(0, 80)}`}`);
      heard += value.length;
      held += decoder.write(value);
    }
  };
  return { next, held: () => held };
}
