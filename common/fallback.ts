/**
 * The fallback page: what visitors of a pool without members get, in plain HTTP, on a port of its own. The manager serves
 * it at the cluster address, and a director of LVS at its own; on one box they are one address, and the first serves.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

export interface Fallback {
  /** Begins to answer, or waits for the port while another has it; returns its undo. */
  start(): Promise<() => Promise<void>>;
  /** The port it answers on; 0 while another has it. */
  port(): number;
}

const RETRY_AFTER_SECONDS = '10';
const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Back soon</title></head>
<body><h1>Back soon</h1><p>This site cannot be reached for the moment. Please try again shortly.</p></body>
</html>
`;

export interface FallbackOptions {
  listen: { address: string; port: number };
  clock: Clock;
  log: Log;
}

const AGAIN_MS = 1_000;

/** @throws what `listen` says, unless another has the address, or the box does not have it yet */
export function createFallback({ listen, clock, log }: FallbackOptions): Fallback {
  // Small limits: it faces the world, and a page this small needs no patience.
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    request.resume();
    answer(response, request.method === 'HEAD');
  });
  const attempt = () =>
    new Promise<boolean>((resolve, reject) => {
      server.once('error', (err: NodeJS.ErrnoException) => {
        server.removeAllListeners('listening');
        if (err.code === 'EADDRINUSE' || err.code === 'EADDRNOTAVAIL') return resolve(false);
        reject(err);
      });
      server.listen(listen.port, listen.address, () => {
        server.removeAllListeners('error');
        resolve(true);
      });
    });
  return {
    start: async () => {
      let stopped = false;
      let undo = () => {};
      const wait = () => {
        undo = clock.after(AGAIN_MS, () => {
          if (!stopped) again().catch((err: unknown) => log.warn({ err }, 'no fallback page'));
        });
      };
      const again = async () => {
        if (!(await attempt())) wait();
      };
      await again();
      if (server.listening) log.debug(listen, 'serving the fallback page');
      else log.info(listen, 'another has the port of the fallback page; waiting for it');
      return () =>
        new Promise((resolve) => {
          stopped = true;
          undo();
          server.close(() => resolve());
          server.closeAllConnections();
        });
    },
    port: () => (server.address() as AddressInfo | null)?.port ?? 0,
  };
}

/** The connection ends with the answer, so that the next request may go to a member that is back. */
function answer(response: ServerResponse, headOnly: boolean): void {
  response.writeHead(503, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(PAGE),
    'cache-control': 'no-store',
    'retry-after': RETRY_AFTER_SECONDS,
    connection: 'close',
    'x-evenkeel-fallback': '1',
  });
  response.end(headOnly ? undefined : PAGE);
}
