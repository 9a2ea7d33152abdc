/** A bounded stream of requests, half on kept-alive connections, of which every single one is logged. */
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Clock } from '../../common/clock.ts';

/** One request as its client saw it. Moments are of the monotonic clock, in milliseconds. */
export interface Sample {
  id: number;
  kept: boolean;
  /**
   * Its kept-alive connection was closed before any answer, and it was asked once more on a new one, as HTTP tells
   * clients to (RFC 9112, 9.3.1). HAProxy counts on that where it may not ask a server again itself.
   */
  askedAgain: boolean;
  startedAt: number;
  endedAt: number;
  status: number | null;
  /** The node that answered, by its header. */
  node: string | null;
  error: string | null;
}

export interface LoadOptions {
  url: string;
  /** Requests a second: they leave on time, whether earlier ones were answered or not. */
  rate: number;
  clock: Clock;
  nodeHeader: string;
  /** After this many milliseconds without a whole answer a request has failed. */
  timeout?: number;
}

export interface Load {
  /** All that has ended so far. */
  samples: Sample[];
  /** Sends no more, waits for what is under way, and returns everything. */
  stop(): Promise<Sample[]>;
}

const TICK = 10;
const CONNECTIONS = 64;

/** What names a request in the balancer's own log. */
export const queryOf = (id: number): string => `load=${id}`;

export function startLoad({ url, rate, clock, nodeHeader, timeout = 5000 }: LoadOptions): Load {
  const keeper = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const samples: Sample[] = [];
  const underWay = new Set<Promise<void>>();
  const begun = clock.monotonic();
  let sent = 0;

  const one = async (id: number) => {
    const kept = id % 2 === 0;
    const startedAt = clock.monotonic();
    const target = `${url}?${queryOf(id)}`;
    const first = await fetchOnce(target, kept ? keeper : false, timeout);
    const askedAgain = 'error' in first && first.mayAskAgain;
    const answer = askedAgain ? await fetchOnce(target, false, timeout) : first;
    const endedAt = clock.monotonic();
    const seen =
      'error' in answer ? { status: null, node: null, error: answer.error } : seenIn(answer.response);
    samples.push({ id, kept, askedAgain, startedAt, endedAt, ...seen });
  };
  const seenIn = ({ statusCode, headers }: IncomingMessage) => {
    const node = headers[nodeHeader];
    return { status: statusCode ?? null, node: typeof node === 'string' ? node : null, error: null };
  };
  const tick = () => {
    const due = Math.floor(((clock.monotonic() - begun) / 1000) * rate);
    for (; sent < due; sent += 1) {
      const request = one(sent).finally(() => underWay.delete(request));
      underWay.add(request);
    }
  };
  const undo = clock.every(TICK, tick);
  return {
    samples,
    stop: async () => {
      undo();
      await Promise.all(underWay);
      keeper.destroy();
      return samples;
    },
  };
}

type Fetched = { response: IncomingMessage } | { error: string; mayAskAgain: boolean };

/** Ends when the whole body is there: an answer cut off in its middle is a failure. */
function fetchOnce(url: string, agent: Agent | false, timeout: number): Promise<Fetched> {
  return new Promise((resolve) => {
    const headers = agent === false ? { connection: 'close' } : {};
    let answered = false;
    const sent = request(url, { agent, headers, timeout }, (response) => {
      answered = true;
      response.resume();
      response.once('error', fail);
      response.once('close', () => {
        if (response.complete) resolve({ response });
        else fail(new Error('the answer was cut off'));
      });
    });
    const fail = (err: NodeJS.ErrnoException) =>
      resolve({
        error: err.code ?? err.message,
        mayAskAgain: sent.reusedSocket && !answered && err.code === 'ECONNRESET',
      });
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${timeout} ms`)));
    sent.once('error', fail);
    sent.end();
  });
}

export const isFailure = (sample: Sample): boolean => sample.status !== 200;
