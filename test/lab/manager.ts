/** The manager of a lab: the real bundle, on the host's side of the boxes' network. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, createClient } from '../../cli/client.ts';
import { managerReady } from '../../cli/sandbox/ready.ts';
import { systemClock } from '../../common/clock.ts';
import { commandOf } from '../../common/programs.ts';
import type { Balancer } from '../../protocol/resources/cluster.ts';
import { bundle, checkout, run } from './host.ts';
import { HOST } from './lan.ts';

export const API = { host: HOST, port: 8443 };

export interface LabManager {
  readonly api: Client;
  readonly token: string;
  /** The authority's certificate, PEM. */
  readonly ca: string;
  readonly log: string;
  readonly isOn: boolean;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** SIGKILL; nobody starts it again. */
  kill(): Promise<void>;
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
}

const READY_MS = 60_000;

/** Makes its authority and its store in `folder`, without starting it; `host` is the cluster address. */
export function foundManager(folder: string, balancer: Balancer, host = HOST): LabManager {
  const data = join(folder, 'manager');
  const log = join(folder, 'manager.log');
  const words = run(
    process.execPath,
    [
      ...[bundle('manager'), 'init', '--data', data, '--address', host, '--content', checkout],
      ...['--balancer', balancer, '--api-port', String(API.port)],
    ],
    { timeout: 60_000 },
  );
  const { token, caFile } = secretsIn(words);
  const ca = readFileSync(caFile, 'utf8');
  const api = createClient({ api: `https://${host}:${API.port}`, ca, caFile, token });
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    if (!running) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await gone;
  };
  return {
    ...{ api, token, ca, log },
    get isOn() {
      return child !== undefined;
    },
    start: async () => {
      if (child) throw new Error('the manager runs already');
      const started = launch(data, log);
      child = started;
      started.once('exit', () => {
        child = undefined;
      });
      const hopeless = () => (child ? undefined : `it has ended; its log: ${log}`);
      const isReady = async () => (await api.call('readyz')).ok;
      await managerReady({ isReady } as Parameters<typeof managerReady>[0], {
        ...{ clock: systemClock, deadline: READY_MS, hopeless },
      });
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}

function launch(data: string, log: string): ChildProcess {
  const [program = '', ...args] = commandOf('manager', bundle('manager'), ['run', '--data', data]);
  const output = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  return child;
}

/** The token is shown once, on a line of its own. */
function secretsIn(words: string): { token: string; caFile: string } {
  for (const line of words.split('\n').filter((text) => text.startsWith('{'))) {
    const { token, ca } = JSON.parse(line) as { token?: string; ca?: string };
    if (token !== undefined && ca !== undefined) return { token, caFile: ca };
  }
  throw new Error(`manager init showed no token:\n${words}`);
}
