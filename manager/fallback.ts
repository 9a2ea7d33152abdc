/** The fallback page: what visitors of a pool without members get, in plain HTTP, on a port of its own. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Fallback {
  /** Begins to answer; returns its undo. */
  start(): Promise<() => Promise<void>>;
  /** The port it answers on. */
  port(): number;
}

const RETRY_AFTER_SECONDS = '10';
const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Back soon</title></head>
<body><h1>Back soon</h1><p>This site cannot be reached for the moment. Please try again shortly.</p></body>
</html>
`;

export function createFallback({ listen }: { listen: { address: string; port: number } }): Fallback {
  // Small limits: it faces the world, and a page this small needs no patience.
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    request.resume();
    answer(response, request.method === 'HEAD');
  });
  return {
    start: async () => {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.address, () => {
          server.off('error', reject);
          resolve();
        });
      });
      return () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        });
    },
    port: () => (server.address() as AddressInfo).port,
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
