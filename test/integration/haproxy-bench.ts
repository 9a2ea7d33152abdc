/** A bench for balancing: a real HAProxy before real nodes, a director, and a manager's voice. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decide } from '../../agent/balance/decide.ts';
import type { PoolReportBody } from '../../agent/balance/reports.ts';
import { type Balance, createBalance } from '../../agent/balance.ts';
import { createRunCheck } from '../../agent/probe/check.ts';
import { createProbes } from '../../agent/probe/probes.ts';
import { systemClock } from '../../common/clock.ts';
import { createFallback } from '../../common/fallback.ts';
import { createLog } from '../../common/log.ts';
import type { PoolMember, PoolState } from '../../protocol/messages.ts';
import { parseResource, type Resource, type ResourceOf } from '../../protocol/resource.ts';
import { createHaproxy, type Haproxy } from './haproxy-process.ts';
import { createWebNodes, freePort, type WebNodes } from './web-nodes.ts';

const log = createLog('test', 'silent');
export const NODES = ['node-1', 'node-2', 'node-3'] as const;

export interface Bench extends Haproxy {
  port: number;
  /** Where the director asks the nodes how they are; nobody listens there by itself. */
  healthPort: number;
  nodes: WebNodes;
  balance: Balance;
  /** What the director said, oldest first. */
  reports: PoolReportBody[];
  services: ResourceOf<'VirtualService'>[];
  /** What is declared; a test may change it and say `look`. */
  members: ResourceOf<'Node'>[];
  /** The manager says what it thinks of the members; what is not said is well. */
  say(members: Partial<Record<string, Partial<PoolMember>>>, probesOnly?: boolean): PoolState;
  /** The manager's lease. */
  beat(seconds?: number): void;
  stopBalance(): Promise<void>;
  close(): Promise<void>;
}

const resource = <K extends Resource['kind']>(kind: K, name: string, spec: object): ResourceOf<K> => {
  const parsed = parseResource({ kind, name, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource as ResourceOf<K>;
};

const probe = { interval: '100ms', timeout: '300ms', fall: 2, rise: 3 };

/** What the manager would send, numbered as it does. */
function createVoice(balance: Balance, members: ResourceOf<'Node'>[]): Pick<Bench, 'say' | 'beat'> {
  let number = 0;
  const common = { cluster: 'test', epoch: 1 };
  return {
    say: (said, probesOnly = false) => {
      const all = members.map(({ name, spec: { address, weight } }) => {
        const member: PoolMember = {
          node: name,
          address,
          weight,
          opinion: 'up',
          operator: 'none',
          reasons: [],
        };
        return { ...member, ...said[name] };
      });
      number += 1;
      const at = '2026-11-21T00:00:00Z';
      const state: PoolState = {
        type: 'pool-state',
        ...common,
        service: 'web',
        seq: number,
        members: all,
        probesOnly,
        at,
      };
      balance.poolState(state);
      return state;
    },
    beat: (seconds = 60) => balance.lease({ type: 'lease', ...common, n: ++number, seconds }),
  };
}

export interface BenchOptions {
  decide?: Decide;
  /** Whether HAProxy and the nodes are there from the beginning. */
  running?: boolean;
  /** Takes what the director reports, besides `reports`. */
  send?: (report: PoolReportBody) => void;
}

const SWEEP_MS = 300;

export async function createBench({ decide, running = true, send }: BenchOptions = {}): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-haproxy-'));
  const fallback = createFallback({ listen: { address: '127.0.0.1', port: 0 }, clock: systemClock, log });
  const stopFallback = await fallback.start();
  const port = await freePort();
  const healthPort = await freePort();
  const nodes = createWebNodes(NODES, await freePort());
  const haproxy = await createHaproxy({ folder, port, names: NODES, nodes, fallbackPort: fallback.port() });

  const pool = { role: 'web', check: 'http', probe };
  const spec = { vip: '192.0.2.10', ports: [{ port, target: nodes.port }], pool };
  const services = [resource('VirtualService', 'web', spec)];
  const members = NODES.map((name, index) =>
    resource('Node', name, { roles: ['web'], address: nodes.addresses[index] }),
  );
  const reports: PoolReportBody[] = [];
  const runCheck = createRunCheck({ clock: systemClock, resolve: (command) => [...command] });
  const probes = createProbes({ clock: systemClock, log, runCheck });
  const balance = createBalance({
    driver: haproxy.driver,
    desired: { virtualServices: () => services, nodes: () => members, healthPort: () => healthPort },
    probes,
    send: (report) => {
      reports.push(report);
      send?.(report);
    },
    clock: systemClock,
    log,
    sweep: SWEEP_MS,
    ...(decide ? { decide } : {}),
  });
  if (running) await Promise.all([nodes.startAll(), haproxy.start()]);
  const stop = balance.start();
  const stopBalance = async () => {
    await stop();
    await probes.stop();
  };
  const close = async () => {
    await stopBalance();
    await Promise.all([haproxy.stop(), nodes.killAll(), stopFallback()]);
    await rm(folder, { recursive: true });
  };
  return {
    ...haproxy,
    port,
    healthPort,
    nodes,
    balance,
    reports,
    services,
    members,
    ...createVoice(balance, members),
    stopBalance,
    close,
  };
}
