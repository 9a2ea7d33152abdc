/** Free ports for a sandbox, chosen once and kept, so that it comes up again where it was. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { EvenkeelError } from '../../protocol/errors.ts';

/**
 * Below the range from which the kernel takes ports for outgoing connections: a port from that range
 * could be taken by some client while a daemon of ours is down for a moment.
 */
const LOWEST = 12_000;
const HIGHEST = 32_000;
const TRIES = 200;

function canListen(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether a port is free on every one of the addresses. */
export async function isFree(port: number, addresses: string[]): Promise<boolean> {
  for (const address of addresses) if (!(await canListen(address, port))) return false;
  return true;
}

/**
 * One free port for each name, all different; a name's port is free on all of its addresses.
 * @param avoid ports that are spoken for, though nobody may listen on them now
 */
export async function choosePorts<N extends string>(
  wanted: Record<N, string[]>,
  { avoid = [], pick = () => randomInt(LOWEST, HIGHEST) }: { avoid?: number[]; pick?: () => number } = {},
): Promise<Record<N, number>> {
  const chosen: Partial<Record<N, number>> = {};
  for (const name of Object.keys(wanted) as N[]) {
    const taken = new Set([...avoid, ...(Object.values(chosen) as number[])]);
    chosen[name] = await chooseOne(wanted[name], taken, pick);
  }
  return chosen as Record<N, number>;
}

async function chooseOne(addresses: string[], taken: Set<number>, pick: () => number): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = pick();
    if (!taken.has(port) && (await isFree(port, addresses))) return port;
  }
  throw new EvenkeelError('internal', `no free port was found on ${addresses.join(', ')} in ${TRIES} tries`);
}
