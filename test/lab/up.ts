/** A lab that stays: started in namespaces of its own, left running, and ended so that nothing of it is left. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tailOf } from '../../cli/sandbox/logs.ts';
import { end, identify, isAlive, type ProcessId } from '../../cli/sandbox/processes.ts';
import { systemClock } from '../../common/clock.ts';
import { obstacles } from './host.ts';
import { ourselves, spawnInside } from './namespace.ts';
import { order, placesIn, stateIn } from './wire.ts';

const UP_MS = 300_000;
/** A Unix socket's path may have 107 bytes, and this is the longest below the folder. */
const LONGEST_SOCKET = '/boxes/u/1234567890123/mconsole';

/** Brings one up and returns when it serves. @throws when one is up, or it does not come up, with its last words */
export async function bringUp(dir: string, nodes: number): Promise<{ api: number; web: number }> {
  const why = obstacles();
  if (why.length > 0) throw new Error(`no boxes on this machine: ${why.join('; ')}`);
  if (dir.length + LONGEST_SOCKET.length > 107)
    throw new Error(`${dir} is too long a path; choose a shorter --dir`);
  if (stateIn(dir)) throw new Error(`a lab is up in ${dir}; npm run lab -- down ends it`);
  clear(dir);
  mkdirSync(dir, { recursive: true });
  const [api, web] = [await listen(), await listen()];
  const ports = { api: portOf(api), web: portOf(web) };
  const held = start(dir, ['--nodes', String(nodes), '--api-port', String(ports.api)], [api, web]);
  for (const server of [api, web]) server.close();
  writeFileSync(placesIn(dir).state, JSON.stringify({ process: held }));
  await untilUp(dir, held);
  return ports;
}

const listen = (): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Node shows it nowhere but here. */
const descriptorOf = (server: Server): number =>
  (server as unknown as { _handle: { fd: number } })._handle.fd;

function start(dir: string, args: string[], doors: Server[]): ProcessId {
  const log = openSync(placesIn(dir).log, 'a');
  const child = spawnInside('up', ourselves(['hold', '--dir', dir, ...args]), {
    stdio: ['ignore', log, log, ...doors.map(descriptorOf)],
    detached: true,
  });
  closeSync(log);
  child.unref();
  const process = child.pid === undefined ? undefined : identify(child.pid);
  if (!process) throw new Error(`unshare did not start; its words: ${placesIn(dir).log}`);
  return process;
}

async function untilUp(dir: string, held: ProcessId): Promise<void> {
  const { control, log } = placesIn(dir);
  const deadline = performance.now() + UP_MS;
  while (!existsSync(control)) {
    if (isAlive(held) && performance.now() < deadline) {
      await systemClock.sleep(100);
      continue;
    }
    const words = tailOf(log, 30);
    await takeDown(dir);
    throw new Error(`the lab did not come up:\n${words}`);
  }
  await order(dir, { verb: 'status', args: [] });
}

/** Ends it with all that is in it, and removes its folder; returns whether there was any. */
export async function takeDown(dir: string): Promise<boolean> {
  const state = stateIn(dir);
  // unshare heeds no other signal (namespace.ts).
  if (state) process.kill(state.process.pid, 'SIGKILL');
  const left = state ? await end([state.process], systemClock) : [];
  if (left.length > 0) throw new Error(`the lab outlives SIGKILL: process ${left[0]?.pid}`);
  const wasThere = existsSync(placesIn(dir).state);
  clear(dir);
  return wasThere;
}

/** Only a folder that a lab has made its own, or an empty one. */
function clear(dir: string): void {
  if (!existsSync(dir)) return;
  const { state, log } = placesIn(dir);
  if (readdirSync(dir).length > 0 && !existsSync(state) && !existsSync(log))
    throw new Error(`${dir} holds something that is no lab; nothing is removed`);
  rmSync(dir, { recursive: true, force: true });
}
