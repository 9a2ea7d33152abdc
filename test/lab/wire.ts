/** How a command of a person reaches the lab that is up: one line of JSON there and one back, by a socket in its folder. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { isAlive, type ProcessId } from '../../cli/sandbox/processes.ts';
import { messageOf } from '../../protocol/errors.ts';

/** Where everything of a lab that is up lies. */
export const placesIn = (dir: string) => ({
  /** Who holds it. */
  state: join(dir, 'lab.json'),
  /** What `evenkeel --up FILE` reads. */
  up: join(dir, 'up.json'),
  control: join(dir, 'control'),
  terminal: (box: string) => join(dir, `tty-${box}`),
  boxes: join(dir, 'boxes'),
  log: join(dir, 'lab.log'),
});

export interface State {
  process: ProcessId;
}

/** The lab that is up in this folder; nothing when there is none, or it has died. */
export function stateIn(dir: string): State | undefined {
  const { state } = placesIn(dir);
  if (!existsSync(state)) return undefined;
  const read = JSON.parse(readFileSync(state, 'utf8')) as State;
  return isAlive(read.process) ? read : undefined;
}

export interface Order {
  verb: string;
  args: string[];
}

export interface Reply {
  code: number;
  text: string;
}

/** As long as the longest thing that anybody may order, which is booting all boxes. */
const PATIENCE_MS = 180_000;

/** Gives an order to the lab in this folder. */
export function order(dir: string, what: Order): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = dial(placesIn(dir).control);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('the lab does not answer')));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.once('error', reject);
    socket.once('end', () => {
      try {
        resolve(JSON.parse(text) as Reply);
      } catch (err) {
        reject(err);
      }
    });
    socket.write(`${JSON.stringify(what)}\n`);
  });
}

/** Takes orders; one that fails is answered with its reason. */
export function takeOrders(dir: string, obey: (what: Order) => Promise<Reply>): void {
  serve(placesIn(dir).control, (socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      if (!text.endsWith('\n')) return;
      const what = JSON.parse(text) as Order;
      text = '';
      void obey(what)
        .catch((err: unknown): Reply => ({ code: 1, text: messageOf(err) }))
        .then((reply) => socket.end(JSON.stringify(reply)));
    });
  });
}

/** Listens on a Unix socket, also where an earlier one was left. */
export function serve(path: string, meet: (socket: Socket) => void): Server {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    // Whoever goes away has gone.
    socket.on('error', () => undefined);
    meet(socket);
  });
  return server.listen(path);
}
