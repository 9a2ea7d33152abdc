/** One request of a smoke test, on a connection of its own, and what its answer proves. */
import { request } from 'node:http';
import { messageOf } from '../../protocol/errors.ts';
import { SMOKE_PATH, type SmokeSite } from './site.ts';

export interface Answered {
  /** Why it is wrong; undefined where the site answered as declared. */
  wrong: string | undefined;
  /** Who answered, where nodes name themselves (the parameter nodeHeader). */
  node: string | undefined;
  /** Whether anybody answered at all. */
  answered: boolean;
}

const TIMEOUT_MS = 3000;

/** Asks an address for the site. Never rejects: what went wrong is the answer. */
export function fetchSite(site: SmokeSite, host: string, port: number): Promise<Answered> {
  return new Promise((resolve) => {
    const sent = request(
      { host, port, path: SMOKE_PATH, agent: false, timeout: TIMEOUT_MS, headers: { host: site.name } },
      (response) => {
        response.resume();
        const { 'x-evenkeel-node': node, location = '' } = response.headers;
        resolve({
          wrong: wrongIn(response.statusCode ?? 0, location, site),
          node: typeof node === 'string' ? node : undefined,
          answered: true,
        });
      },
    );
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    sent.once('error', (err) => resolve({ wrong: messageOf(err), node: undefined, answered: false }));
    sent.end();
  });
}

function wrongIn(status: number, location: string, { token }: SmokeSite): string | undefined {
  if (status === 302 && location.endsWith(`/${token}`)) return undefined;
  if (status === 421) return 'answered 421: it does not have the site';
  const where = location === '' ? '' : ` to ${location.slice(0, 80)}`;
  return `answered ${status}${where}, and not as the site is declared`;
}
