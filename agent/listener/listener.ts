/** The health listener: `GET /health/NAME` on the node's own address says 200 or 503, and nothing else. It reads and changes nothing. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { createLoop } from '../../common/loop.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Question, Word } from './answer.ts';
import { createPace } from './pace.ts';

export interface Place {
  address: string;
  port: number;
}

export interface ListenerOptions {
  /** Where it is to listen, as declared; null while that is not known. */
  place: () => Place | null;
  answer: (question: Question) => Word;
  /** It cannot listen, with the reason; null when it can again. */
  failed: (reason: string | null) => void;
  clock: Clock;
  log: Log;
}

export interface Listener {
  /** What is declared may have changed: it moves where it is to listen now. */
  look(): void;
  /** Where it listens now. */
  at(): Place | null;
  start(): () => Promise<void>;
}

/** Small limits: a balancer asks a short question, and whoever asks for more is nobody we serve. */
const LIMITS = { headersTimeout: 2_000, requestTimeout: 2_000, keepAliveTimeout: 10_000 };
/** Without the last, Node looks for connections that are over time only every 30 s. */
const SHORT = { maxHeaderSize: 4_096, requireHostHeader: false, connectionsCheckingInterval: 500 };
const MOST_CONNECTIONS = 512;
/** Of one address, so that no one host can keep all others out. */
const MOST_OF_ONE = 32;
/** A balancer with many processes asks for many services each second. */
const PACE = { perSecond: 100, burst: 200 };
const KEY = 'listener';

export function createListener({ place, answer, failed, clock, log }: ListenerOptions): Listener {
  const mayAsk = createPace({ clock, ...PACE });
  let open: { server: Server; place: Place } | null = null;

  const respond = (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    const from = request.socket.remoteAddress ?? '';
    if (!mayAsk(from)) return say(request, response, 429, 'asked too often');
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return say(request, response, 405, 'only GET and HEAD');
    }
    const question = questionIn(url);
    const { status, line } = question ? answer(question) : NOTHING_THERE;
    say(request, response, status, line);
  };
  const close = async () => {
    const { server } = open ?? {};
    open = null;
    if (server) await closed(server);
  };
  const move = async () => {
    const wanted = place();
    // What is declared may be on its way; until it is known to be elsewhere, it answers where it is.
    if (wanted === null || isSame(wanted, open?.place)) return undefined;
    await close();
    const server = createServer({ ...LIMITS, ...SHORT }, respond);
    server.maxConnections = MOST_CONNECTIONS;
    server.on('connection', limitedTo(MOST_OF_ONE));
    server.on('clientError', (_, socket) => void socket.destroy());
    server.on('error', (err) => log.warn({ err: messageOf(err) }, 'the health listener has failed'));
    try {
      await listening(server, wanted);
    } catch (cause) {
      const reason = `the health listener cannot listen on ${wanted.address}:${wanted.port}: ${messageOf(cause)}`;
      failed(reason);
      throw new EvenkeelError('driver-failed', reason, { cause });
    }
    open = { server, place: wanted };
    failed(null);
    log.info({ ...wanted }, 'the health listener answers');
    return undefined;
  };
  const loop = createLoop({ clock, log, work: move, backoff: { first: 500, cap: 15_000 } });
  const look = () => loop.put(KEY);
  return {
    look,
    at: () => open?.place ?? null,
    start: () => {
      look();
      return async () => {
        await loop.stop();
        await close();
      };
    },
  };
}

/** Ends what an address opens beyond so many. */
function limitedTo(most: number): (socket: Socket) => void {
  const open = new Map<string, number>();
  return (socket) => {
    const from = socket.remoteAddress ?? '';
    const count = (open.get(from) ?? 0) + 1;
    if (count > most) return void socket.destroy();
    open.set(from, count);
    socket.once('close', () => {
      const left = (open.get(from) ?? 1) - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
  };
}

const NOTHING_THERE: Word = { status: 404, line: 'ask /health/NAME of a virtual service or a check' };
const PATH = /^\/health\/([a-z0-9.-]{1,253})(?:\?role=([a-z0-9.-]{1,253}))?$/;

/** Undefined where it is none. */
function questionIn(url: string): Question | undefined {
  const [, name, role] = PATH.exec(url) ?? [];
  return name === undefined ? undefined : { name, role };
}

function say({ method }: IncomingMessage, response: ServerResponse, status: number, line: string): void {
  const body = `${line}\n`;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(method === 'HEAD' ? undefined : body);
}

const isSame = (a: Place, b: Place | undefined): boolean => a.address === b?.address && a.port === b.port;

const listening = (server: Server, { address, port }: Place): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
