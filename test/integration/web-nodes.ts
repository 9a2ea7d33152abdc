/** Small web servers in processes of their own, which name themselves and can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';

/** `/slow` begins an answer that ends when `/go` is asked for. */
const PROGRAM = `
const [, name, address, port] = process.argv;
const slow = [];
require('node:http').createServer((request, response) => {
  response.setHeader('x-node', name);
  if (request.url === '/slow') { response.write('begun '); slow.push(response); return; }
  if (request.url === '/go') for (const held of slow.splice(0)) held.end('and ended');
  response.end('well');
}).listen(Number(port), address, () => process.stdout.write('up'));
`;

export interface Answer {
  status: number;
  /** Which node answered; empty when none did. */
  node: string;
  body: string;
}

const agent = new Agent({ keepAlive: false });

/** Asks on a connection of its own. */
export const ask = (host: string, port: number, path = '/'): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent, timeout: 20_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      const node = String(response.headers['x-node'] ?? '');
      response.on('end', () => resolve({ status: response.statusCode ?? 0, node, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('the answer did not come in time')));
  });

export async function stopChild(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export interface WebNodes {
  addresses: string[];
  port: number;
  start(index: number): Promise<void>;
  startAll(): Promise<void>;
  kill(index: number): Promise<void>;
  killAll(): Promise<void>;
  /** Asks a node itself, past any balancer. */
  ask(index: number, path: string): Promise<Answer>;
}

/** One node for each name, on 127.0.0.11 and following, all on the same port. */
export function createWebNodes(names: readonly string[], port: number): WebNodes {
  const addresses = names.map((_, index) => `127.0.0.${11 + index}`);
  const children: (ChildProcess | undefined)[] = [];
  const start = async (index: number) => {
    const child = spawn(process.execPath, ['-e', PROGRAM, names[index]!, addresses[index]!, `${port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children[index] = child;
    await once(child.stdout, 'data');
  };
  const kill = (index: number) => stopChild(children[index]);
  return {
    addresses,
    port,
    start,
    kill,
    startAll: async () => void (await Promise.all(names.map((_, index) => start(index)))),
    killAll: async () => void (await Promise.all(names.map((_, index) => kill(index)))),
    ask: (index, path) => ask(addresses[index]!, port, path),
  };
}

/** A port that is free on every loopback address just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
