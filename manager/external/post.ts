/** One webhook on its way: signed, the other side verified, no redirect followed, the time bounded. */
import { Agent, request as plainRequest, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Clock } from '../../common/clock.ts';
import { WEBHOOK_HEADERS } from '../../protocol/external.ts';

export interface Receiver {
  url: string;
  /** The authorities to believe instead of those of the system, PEM. */
  ca?: string;
}

export interface PostOptions {
  /** Signs a text with the cluster's key; base64. */
  sign: (text: string) => string;
  clock: Clock;
}

/** Resolves when the receiver has taken it. @throws Error with what it did instead */
export type Post = (receiver: Receiver, body: string) => Promise<void>;

const TIMEOUT_MS = 5_000;
/** How many are on their way at the same time; the others wait for a connection. */
const WIDTH = 8;

export function createPost({ sign, clock }: PostOptions): Post {
  const [plain, tls] = [new Agent({ maxSockets: WIDTH }), new TlsAgent({ maxSockets: WIDTH })];
  return ({ url, ca }, body) => {
    const timestamp = String(Math.floor(clock.now() / 1000));
    const options: RequestOptions = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'evenkeel',
        [WEBHOOK_HEADERS.timestamp]: timestamp,
        [WEBHOOK_HEADERS.signature]: sign(`${timestamp}.${body}`),
      },
    };
    const sent = url.startsWith('https:')
      ? tlsRequest(url, { ...options, agent: tls, ...(ca === undefined ? {} : { ca }) })
      : plainRequest(url, { ...options, agent: plain });
    return new Promise((resolve, reject) => {
      let undo: (() => void) | undefined;
      // From here on it has a connection of its own, and those before it have their own limit.
      sent.once('socket', () => {
        undo = clock.after(TIMEOUT_MS, () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      });
      sent.once('response', (response) => {
        const { statusCode = 0 } = response;
        // What it says besides is of no use to anybody.
        response.on('error', () => undefined);
        response.destroy();
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`the receiver answered ${statusCode}`));
      });
      sent.on('error', reject);
      sent.once('close', () => undo?.());
      sent.end(body);
    });
  };
}
