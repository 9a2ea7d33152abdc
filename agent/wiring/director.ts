/** The director's side of an agent: on a node of the balancer role, the driver, its own probes and the balance between them. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Lease, PoolState } from '../../protocol/messages.ts';
import { HEALTH_PORT } from '../../protocol/resources/cluster.ts';
import { createTraffic, type TrafficOptions } from '../balance/traffic.ts';
import { createBalance } from '../balance.ts';
import type { Run } from '../drivers/run.ts';
import { createAlarms } from '../link/alarms.ts';
import type { ReportBody } from '../link/outbox.ts';
import type { RunCheck } from '../probe/check.ts';
import { createProbes } from '../probe/probes.ts';
import type { Desired } from '../state/desired.ts';
import { createBalancer } from './balancer.ts';
import { createPage } from './page.ts';

export interface DirectorOptions {
  node: string;
  desired: Pick<Desired, 'get' | 'list' | 'stand'>;
  /** Where the templates of the balancer put its sockets, pid files and tracked files. */
  run: string;
  /** Runs ipvsadm. */
  execute: Run;
  runCheck: RunCheck;
  report: (body: ReportBody) => void;
  /** Says what the balancer has counted, now or never. */
  say: TrafficOptions['say'];
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
const DEAF =
  'keepalived does not take up what it is told of members; the agent writes the table of the kernel itself';

export function createDirector({
  node,
  desired,
  run,
  execute,
  runCheck,
  report,
  say,
  clock,
  log,
}: DirectorOptions): Director {
  const probes = createProbes({ clock, log, runCheck, width: WIDTH });
  const alarms = createAlarms(report);
  const alarm = (active: boolean) => {
    if (active) alarms.raise('driver-failed', 'keepalived', DEAF);
    else alarms.clear('driver-failed', 'keepalived');
  };
  const driver = createBalancer({ node, desired, run, execute, alarm, clock });
  const page = createPage({ node, desired, chosen: driver.chosen, clock, log });
  const balance = createBalance({
    driver,
    desired: {
      virtualServices: () => (driver.chosen() ? desired.list('VirtualService') : []),
      nodes: () => desired.list('Node'),
      healthPort: () => desired.get('Cluster', 'cluster')?.spec.health?.port ?? HEALTH_PORT,
    },
    probes,
    send: report,
    clock,
    log,
  });
  const traffic = createTraffic({
    read: async () => {
      const source = driver.chosen() ?? null;
      return source === null ? null : { source, rows: await driver.traffic() };
    },
    services: () => desired.list('VirtualService'),
    ...{ say, clock, log },
  });
  let end: (() => Promise<void>) | undefined;
  const look = () => {
    if (driver.chosen() || driver.isLeft()) end ??= balance.start();
    if (end) balance.look();
    page.look();
  };
  return {
    poolState: balance.poolState,
    lease: balance.lease,
    look,
    hurry: balance.hurry,
    connected: () => {
      alarms.repeat();
      if (end) balance.connected();
    },
    keep: driver.keep,
    start: () => {
      look();
      const stopTraffic = traffic.start();
      return async () => {
        await stopTraffic();
        await end?.();
        await probes.stop();
        await page.stop();
      };
    },
  };
}
