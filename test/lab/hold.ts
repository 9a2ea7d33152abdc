/** The lab that is up: held by a process inside the namespaces, which takes orders and lets the host's side in. */
import { writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import { createLab, type Lab } from './cluster.ts';
import type { Guest } from './guest.ts';
import { API } from './manager.ts';
import { director, furnish, site, VIP, webNode, webService } from './web.ts';
import { type Order, placesIn, type Reply, serve, takeOrders } from './wire.ts';

/**
 * Descriptors of sockets that listen on the host's loopback: they were opened out there and stay there, while the
 * process that accepts is in here. No interface of the host has to know of the lab.
 */
export const DOORS = { api: 3, web: 4 };

export interface HoldOptions {
  dir: string;
  nodes: number;
  /** Where the doors are, on the host. */
  apiPort: number;
}

/** Brings a cluster up and stays, until it is killed. */
export async function hold({ dir, nodes, apiPort }: HoldOptions): Promise<void> {
  const places = placesIn(dir);
  const names = Array.from({ length: nodes }, (_, at) => `w${at + 1}`);
  const lab = await createLab({
    folder: places.boxes,
    nodes: [{ ...director('d1'), terminal: true }, ...names.map((name) => webNode(name, { terminal: true }))],
    documents: [site, webService()],
  });
  await furnish(
    names.map((name) => lab.box(name)),
    lab.folder,
  );
  await lab.settled();
  for (const box of lab.all) offerTerminal(box, places.terminal(box.name));
  openDoor(DOORS.api, API.host, API.port);
  openDoor(DOORS.web, VIP, 80);
  const ca = join(dir, 'ca.crt');
  writeFileSync(ca, lab.manager.ca);
  const up = { api: `https://localhost:${apiPort}`, ca, token: lab.manager.token };
  writeFileSync(places.up, `${JSON.stringify(up, null, 2)}\n`, { mode: 0o600 });
  takeOrders(dir, (what) => obey(lab, what));
}

function openDoor(descriptor: number, host: string, port: number): void {
  createServer((outer) => {
    const inner = dial(port, host);
    link(outer, inner);
    link(inner, outer);
  }).listen({ fd: descriptor });
}

/** What one end says the other hears, also that it has ended. */
function link(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on('error', () => to.destroy());
}

/** One at a time has the terminal; what it says to nobody is lost. */
function offerTerminal(box: Guest, path: string): void {
  let present: Socket | undefined;
  let heard: unknown;
  serve(path, (socket) => {
    present?.end('somebody else has taken the terminal\r\n');
    present = socket;
    const terminal = box.terminal();
    if (!terminal) {
      socket.end(`${box.name} is off\r\n`);
      return;
    }
    if (heard !== terminal) terminal.on('data', (part: Buffer) => present?.write(part));
    heard = terminal;
    socket.pipe(terminal, { end: false });
    socket.once('close', () => {
      if (present === socket) present = undefined;
    });
  });
}

type Verb = (lab: Lab, box: string, rest: string[]) => Promise<string>;

const stateOf = ({ name, address, isOn }: Guest): string => `${name} ${address} ${isOn ? 'on' : 'off'}`;

/** What a person can do to a box, by the words of the command line. */
const verbs: Record<string, Verb> = {
  status: async (lab) => lab.all.map(stateOf).join('\n'),
  'power-cut': async (lab, box) => {
    await lab.box(box).powerCut();
    return `${box} is without power`;
  },
  boot: async (lab, box) => `${box} is on after ${((await lab.box(box).boot()) / 1000).toFixed(1)} s`,
  cut: async (lab, box) => {
    lab.box(box).cut();
    return `the cable of ${box} is out`;
  },
  join: async (lab, box) => {
    lab.box(box).join();
    return `the cable of ${box} is in`;
  },
  slow: async (lab, box, [delay = '100ms', loss]) => {
    await lab.box(box).slow({ delay, ...(loss === undefined ? {} : { loss }) });
    return `what leaves ${box} takes ${delay} longer${loss === undefined ? '' : ` and loses ${loss}`}`;
  },
  skew: async (lab, box, [by = '']) => {
    await lab.box(box).skew(secondsOf(by));
    return `the clock of ${box}: ${(await lab.box(box).run('date')).trim()}`;
  },
  heal: async (lab) => {
    await lab.heal();
    return 'all boxes have power, cables, speed and the right time';
  },
};

async function obey(lab: Lab, { verb, args: [box = '', ...rest] }: Order): Promise<Reply> {
  if (verb === 'run') {
    const { code, stdout, stderr } = await lab.box(box).sh(rest.join(' '), { timeout: 60_000 });
    return { code, text: stdout + stderr };
  }
  const act = verbs[verb];
  if (!act) return { code: 2, text: `${verb} is nothing that the lab can do` };
  return { code: 0, text: `${await act(lab, box, rest)}\n` };
}

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `+1h`, `-30m`; 0 is the host's time. @throws when it is no such thing */
export function secondsOf(text: string): number {
  const match = /^([+-]?)(\d+)([smhd]?)$/.exec(text);
  if (!match) throw new Error(`"${text}" is no skew; write +1h, -30m, 90s or 0`);
  const [, sign, count, unit = ''] = match;
  return (sign === '-' ? -1 : 1) * Number(count) * (units[unit] ?? 1);
}
