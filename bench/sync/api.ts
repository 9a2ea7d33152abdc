/** The manager's API as a program uses it: over one kept-alive, verified connection. */
import { Agent, request } from 'node:https';
import type { ApplyAnswer } from '../../protocol/views.ts';
import { ADDRESS, type Cluster } from './cluster.ts';

export interface Api {
  apply(documents: unknown[]): Promise<ApplyAnswer>;
  isReady(): Promise<boolean>;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  close(): void;
}

const TIMEOUT = 60_000;

export function createApi({ ports, token, ca }: Cluster): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const call = <T>(method: string, path: string, body?: unknown) =>
    new Promise<T>((resolve, reject) => {
      const where = { host: ADDRESS, port: ports.api, method, path };
      const sent = request({ ...where, agent, headers, timeout: TIMEOUT }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(parts).toString();
          if ((response.statusCode ?? 0) < 300) resolve(JSON.parse(text) as T);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 500)}`));
        });
      });
      sent.once('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer in time`)));
      sent.once('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return {
    call,
    apply: (documents) => call<ApplyAnswer>('POST', '/api/v1/apply', { documents }),
    isReady: () =>
      call('GET', '/readyz').then(
        () => true,
        () => false,
      ),
    close: () => agent.destroy(),
  };
}
