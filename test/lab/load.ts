/** Steady visitors: a request every so many milliseconds, whatever became of the ones before, and what became of each. */
import { connect } from 'node:net';
import { visitor } from './lan.ts';
import { visit } from './visit.ts';

export interface Sample {
  /** When it was sent, milliseconds since the epoch. */
  at: number;
  /** Who answered; undefined when nobody did, or with an error. */
  node: string | undefined;
  /** Why it failed. */
  failed: string | undefined;
}

export interface Load {
  /** Ends when the last answer is there; returns all of them. */
  stop(): Promise<Sample[]>;
}

type Ask = (from: string) => Promise<Omit<Sample, 'at'>>;

const VISITORS = 5;

/** Bound in time by whoever stops it, and in number by the pace: at most `timeout / every` at once. */
export function startLoad(ask: Ask, every = 50): Load {
  const asked: Promise<Sample>[] = [];
  const timer = setInterval(() => {
    const at = Date.now();
    const from = visitor(100 + (asked.length % VISITORS));
    asked.push(ask(from).then((answer) => ({ at, ...answer })));
  }, every);
  return {
    stop: async () => {
      clearInterval(timer);
      return Promise.all(asked);
    },
  };
}

/** An HTTP request on a connection of its own. */
export const overHttp =
  (url: string): Ask =>
  async (from) => {
    const { answers, failed } = await visit({ url, from: [from], timeout: 3000 });
    return { node: answers[0]?.node, failed: failed[0] };
  };

/** A connection that waits for the greeting of a daemon. */
export const overTcp =
  (host: string, port: number, greeting: RegExp): Ask =>
  (from) =>
    new Promise((resolve) => {
      const signal = AbortSignal.timeout(3000);
      const socket = connect({ host, port, localAddress: from, signal });
      let text = '';
      const end = (failed: string | undefined) => {
        socket.destroy();
        resolve({ node: failed === undefined ? text.trim() : undefined, failed });
      };
      socket.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (greeting.test(text)) end(undefined);
      });
      socket.once('end', () => end('ended without a greeting'));
      socket.once('error', (err) => end(signal.aborted ? 'no greeting within 3 s' : err.message));
    });
