/** The director's side of an agent: on a node of the balancer role, the driver, its own probes and the balance between them. */
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Lease, PoolState } from '../../protocol/messages.ts';
import { HEALTH_PORT } from '../../protocol/resources/cluster.ts';
import { BALANCER_ROLE } from '../../protocol/topics.ts';
import { createBalance } from '../balance.ts';
import { createHaproxyDriver } from '../drivers/haproxy.ts';
import type { ReportBody } from '../link/outbox.ts';
import type { RunCheck } from '../probe/check.ts';
import { createProbes } from '../probe/probes.ts';
import type { Desired } from '../state/desired.ts';

export interface DirectorOptions {
  node: string;
  desired: Pick<Desired, 'get' | 'list'>;
  /** Where the template of the balancer puts its runtime socket. */
  run: string;
  runCheck: RunCheck;
  report: (body: ReportBody) => void;
  clock: Clock;
  log: Log;
}

export interface Director {
  poolState(state: PoolState): void;
  lease(lease: Lease): void;
  /** What is declared has changed, or the balancer was reloaded. The role comes and goes with what is declared. */
  look(): void;
  hurry(): void;
  connected(): void;
  /** Makes what the balancer has survive its reload. */
  keep(): Promise<void>;
  start(): () => Promise<void>;
}

/** How many members are probed at the same time. */
const WIDTH = 64;

export function createDirector({
  node,
  desired,
  run,
  runCheck,
  report,
  clock,
  log,
}: DirectorOptions): Director {
  const probes = createProbes({ clock, log, runCheck, width: WIDTH });
  const driver = createHaproxyDriver({
    socket: join(run, 'haproxy.sock'),
    stateFile: join(run, 'haproxy.state'),
    clock,
  });
  const isBalancer = () => desired.get('Node', node)?.spec.roles.includes(BALANCER_ROLE) ?? false;
  const balance = createBalance({
    driver,
    desired: {
      virtualServices: () => (isBalancer() ? desired.list('VirtualService') : []),
      nodes: () => desired.list('Node'),
      healthPort: () => desired.get('Cluster', 'cluster')?.spec.health?.port ?? HEALTH_PORT,
    },
    probes,
    send: report,
    clock,
    log,
  });
  let end: (() => Promise<void>) | undefined;
  const look = () => {
    if (isBalancer()) end ??= balance.start();
    if (end) balance.look();
  };
  return {
    poolState: balance.poolState,
    lease: balance.lease,
    look,
    hurry: balance.hurry,
    connected: () => {
      if (end) balance.connected();
    },
    keep: async () => {
      if (isBalancer()) await driver.keep();
    },
    start: () => {
      look();
      return async () => {
        await end?.();
        await probes.stop();
      };
    },
  };
}
