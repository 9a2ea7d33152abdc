/** A real HAProxy with a pool of web nodes, which can be reloaded and asked what it has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHaproxyDriver } from '../../agent/drivers/haproxy.ts';
import { createTalk, type Talk } from '../../agent/drivers/haproxy-socket.ts';
import type { BalancerDriver } from '../../common/balancer.ts';
import { systemClock } from '../../common/clock.ts';
import { until } from '../support/until.ts';
import { stopChild, type WebNodes } from './web-nodes.ts';

export interface HaproxyOptions {
  folder: string;
  port: number;
  names: readonly string[];
  nodes: WebNodes;
  fallbackPort: number;
}

export interface Haproxy {
  driver: BalancerDriver;
  /** A line by hand on the runtime socket. */
  hand: Talk;
  /** The name of the one backend. */
  backend: string;
  stateFile: string;
  start(): Promise<void>;
  /** As a reload does: a new process that takes over, with nothing but the state file to go by. */
  reload(): Promise<void>;
  /** What it has of each member: `ready 100`, `drain`, `maint`. */
  has(): Promise<Record<string, string>>;
  /** It hangs: its socket takes connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

const configuration = ({ folder, port, names, nodes, fallbackPort }: HaproxyOptions) => `
global
  stats socket ${folder}/admin.sock level admin
  server-state-file ${folder}/haproxy.state
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  option redispatch
  retries 3
  load-server-state-from-file global
listen web-${port}
  bind 127.0.0.1:${port}
  balance roundrobin
${names.map((name, index) => `  server ${name} ${nodes.addresses[index]}:${nodes.port} weight 100`).join('\n')}
  server _fallback 127.0.0.1:${fallbackPort} backup
`;

export async function createHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  const { folder, port } = options;
  const [file, socket, stateFile] = ['haproxy.cfg', 'admin.sock', 'haproxy.state'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await writeFile(file, configuration(options));
  const hand = createTalk({ socket, clock: systemClock });
  const driver = createHaproxyDriver({ socket, stateFile, clock: systemClock });
  const processes: ChildProcess[] = [];
  const launch = async (more: string[]) => {
    const child = spawn('haproxy', ['-db', '-f', file, ...more], { stdio: 'ignore' });
    processes.push(child);
    const itself = new RegExp(`^Pid: ${child.pid}$`, 'm');
    await until('HAProxy answers', async () => itself.test((await hand('show info')) ?? ''));
  };
  return {
    driver,
    hand,
    backend: `web-${port}`,
    stateFile,
    start: () => launch([]),
    reload: async () => {
      const before = processes.at(-1)!;
      await launch(['-sf', `${before.pid}`]);
      if (before.exitCode === null) await once(before, 'exit');
    },
    has: async () => {
      const members = ((await driver.read()) ?? []).filter(({ server }) => server !== '_fallback');
      const words = members.map(({ server, admin, weight }) => [
        server,
        admin === 'ready' ? `ready ${weight}` : admin,
      ]);
      return Object.fromEntries(words);
    },
    freeze: () => void processes.at(-1)?.kill('SIGSTOP'),
    thaw: () => void processes.at(-1)?.kill('SIGCONT'),
    stop: async () => void (await Promise.all(processes.map(stopChild))),
  };
}
