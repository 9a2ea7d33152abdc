/** Visitors: requests from chosen addresses outside the cluster, each on a connection of its own, and who answered them. */
import { request } from 'node:http';
import { NODE_HEADER } from '../../cli/sandbox/ready.ts';
import { visitor } from './lan.ts';

export interface VisitOptions {
  url: string;
  /** The Host header, where it is not that of the URL. */
  host?: string;
  /** The visitors' own addresses, in turn. */
  from?: readonly string[];
  count?: number;
  /** How many at a time. */
  parallel?: number;
  /** Of each request, in milliseconds. */
  timeout?: number;
}

export interface Answer {
  from: string;
  status: number;
  /** The node that names itself in the header X-Evenkeel-Node (its parameter `nodeHeader`). */
  node: string | undefined;
  body: string;
  ms: number;
}

export interface Visits {
  answers: Answer[];
  /** Why each request failed that got no answer, or one of 500 and above. */
  failed: string[];
  /** How many each node has answered. */
  split: Record<string, number>;
}

/** Sends requests and waits for all of them. One that fails is counted, and does not end the others. */
export async function visit({
  count = 1,
  parallel = 1,
  from = [visitor(1)],
  ...one
}: VisitOptions): Promise<Visits> {
  const answers: Answer[] = [];
  const failed: string[] = [];
  let next = 0;
  const sendSome = async () => {
    while (next < count) {
      const address = from[next % from.length] ?? visitor(1);
      next += 1;
      await ask(address, one).then(
        (answer) => answers.push(answer),
        (err: unknown) => failed.push(`${address}: ${err instanceof Error ? err.message : String(err)}`),
      );
    }
  };
  await Promise.all(Array.from({ length: parallel }, sendSome));
  for (const { status, from: address } of answers)
    if (status >= 500) failed.push(`${address}: status ${status}`);
  return { answers, failed, split: splitOf(answers) };
}

export function splitOf(answers: readonly Answer[]): Record<string, number> {
  const split: Record<string, number> = {};
  for (const { node = 'nobody' } of answers) split[node] = (split[node] ?? 0) + 1;
  return split;
}

/** The timeout is for the whole of it: a silent peer is noticed while connecting as well. */
function ask(from: string, { url, host, timeout = 3000 }: Omit<VisitOptions, 'from'>): Promise<Answer> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeout);
    const headers = host === undefined ? {} : { host };
    const sent = request(url, { agent: false, localAddress: from, headers, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.once('error', reject);
      response.once('end', () => {
        const node = response.headers[NODE_HEADER];
        const status = response.statusCode ?? 0;
        const ms = performance.now() - began;
        resolve({ from, status, node: typeof node === 'string' ? node : undefined, body, ms });
      });
    });
    sent.once('error', (err) => reject(signal.aborted ? new Error(`no answer within ${timeout} ms`) : err));
    sent.end();
  });
}
