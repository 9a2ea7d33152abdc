/** Ports that are really free, on every address that will listen on them. */
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { choosePorts, isFree } from '../../../cli/sandbox/ports.ts';

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
const listen = (host: string) =>
  new Promise<number>((resolve) => {
    const server = createServer().listen({ host, port: 0 }, () => {
      resolve((server.address() as { port: number }).port);
    });
    open.push(server);
  });

describe('[2.9] the ports of a sandbox', () => {
  it('are passed over when somebody listens on one of the addresses', async () => {
    const taken = await listen('127.0.0.12');
    expect(await isFree(taken, ['127.0.0.11', '127.0.0.12'])).toBe(false);
    const offers = [taken, taken, 12_345];
    const pick = () => offers.shift() ?? 12_346;
    const { web } = await choosePorts({ web: ['127.0.0.11', '127.0.0.12'] }, { pick });
    expect([12_345, 12_346]).toContain(web);
  });

  it('are all different, and below the range of outgoing connections', async () => {
    const ports = Object.values(await choosePorts({ a: ['127.0.0.1'], b: ['127.0.0.1'], c: ['127.0.0.1'] }));
    expect(new Set(ports).size).toBe(3);
    expect(ports.every((port) => port >= 1024 && port < 32_768)).toBe(true);
  });
});
