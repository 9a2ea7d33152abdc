/** One HTTPS request to the manager: the other side verified, the time and the size of the answer bounded. */
import type { IncomingMessage } from 'node:http';
import { type Agent, type RequestOptions, request as send } from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type ErrorCode, EvenkeelError, errors, messageOf, type Problem } from '../protocol/errors.ts';
import { type Clock, systemClock } from './clock.ts';

export interface Call {
  host: string;
  port: number;
  method: 'GET' | 'POST';
  path: string;
  /** The authorities to believe; key and certificate where the other side asks who we are. All PEM. */
  tls: { ca: string; key?: string; cert?: string };
  body?: unknown;
  timeout: number;
  /** The real time, unless a test moves it. */
  clock?: Clock;
  /** The largest answer that is read, in bytes. */
  limit?: number;
  /** Keeps the connection for the next one; without it each has its own. */
  agent?: Agent;
}

export interface Answered {
  status: number;
  body: unknown;
  /** Milliseconds, where the other side said when to come again. */
  retryAfter: number | undefined;
}

const unzip = promisify(gunzip);
const LARGEST = 512 * 1024 * 1024;

/**
 * Asks and reads the whole answer as JSON.
 * @throws EvenkeelError node-unreachable when there is no answer in time or it cannot be read
 */
export async function request(call: Call): Promise<Answered> {
  try {
    const { response, data } = await exchange(call);
    const plain =
      response.headers['content-encoding'] === 'gzip'
        ? await unzip(data, { maxOutputLength: call.limit ?? LARGEST })
        : data;
    const seconds = Number(response.headers['retry-after']);
    return {
      status: response.statusCode ?? 0,
      body: JSON.parse(plain.toString()) as unknown,
      retryAfter: seconds > 0 ? seconds * 1000 : undefined,
    };
  } catch (cause) {
    const where = `${call.host}:${call.port}${call.path}`;
    throw new EvenkeelError('node-unreachable', `no answer from ${where}: ${messageOf(cause)}`, { cause });
  }
}

function exchange(call: Call): Promise<{ response: IncomingMessage; data: Buffer }> {
  const { host, port, method, path, tls, timeout, clock = systemClock, limit = LARGEST } = call;
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  const options: RequestOptions = {
    ...tls,
    host,
    port,
    method,
    path,
    agent: call.agent ?? false,
    minVersion: 'TLSv1.3',
    headers: {
      'accept-encoding': 'gzip',
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    },
  };
  return new Promise((resolve, reject) => {
    const outgoing = send(options, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > limit) response.destroy(new Error(`the answer is larger than ${limit} bytes`));
      });
      response.on('end', () => resolve({ response, data: Buffer.concat(parts) }));
      response.on('error', reject);
    });
    const undo = clock.after(timeout, () => outgoing.destroy(new Error(`nothing within ${timeout} ms`)));
    outgoing.on('error', reject);
    outgoing.on('close', undo);
    outgoing.end(text);
  });
}

const MOST_PROBLEMS = 100;
const isProblem = (one: unknown): one is Problem =>
  typeof one === 'object' &&
  one !== null &&
  ['code', 'path', 'message'].every((field) => typeof Reflect.get(one, field) === 'string');

/** The coded error in an answer that is not what was asked for. */
export function refusalIn({ status, body }: Answered): EvenkeelError {
  const { code, detail, problems } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const known = typeof code === 'string' && Object.hasOwn(errors, code);
  return new EvenkeelError(
    known ? (code as ErrorCode) : 'internal',
    typeof detail === 'string' ? detail : `the manager answered ${status}`,
    { problems: Array.isArray(problems) ? problems.slice(0, MOST_PROBLEMS).filter(isProblem) : [] },
  );
}
