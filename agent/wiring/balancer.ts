/**
 * The balancer of a director: the driver that the Cluster names, and another one when it names another. What the kernel's
 * table has of one that is left is taken out of it, or it would answer before the new one does.
 */
import { join } from 'node:path';
import type { BalancerDriver } from '../../common/balancer.ts';
import type { Clock } from '../../common/clock.ts';
import { isStopped, pidIn } from '../../common/processes.ts';
import type { Balancer } from '../../protocol/resources/cluster.ts';
import { BALANCER_ROLE, scopesOf } from '../../protocol/topics.ts';
import { createHaproxyDriver } from '../drivers/haproxy.ts';
import { createTrackedFiles } from '../drivers/lvs/files.ts';
import { createIpvs } from '../drivers/lvs/ipvs.ts';
import { createIpvsadmDriver } from '../drivers/lvs/ipvsadm.ts';
import { createLvsDriver } from '../drivers/lvs/lvs.ts';
import type { Declaration } from '../drivers/lvs/structure.ts';
import type { Run } from '../drivers/run.ts';
import type { Desired } from '../state/desired.ts';

export interface BalancerOptions {
  node: string;
  desired: Pick<Desired, 'get' | 'list' | 'stand'>;
  /** The folder where the templates of the balancer put sockets, pid files and tracked files. */
  run: string;
  execute: Run;
  /** Says that keepalived does not do what it is told, or that it does again. */
  alarm: (active: boolean) => void;
  clock: Clock;
}

/** Null where the node is no director, or where somebody else runs the balancer. */
export type Chosen = Exclude<Balancer, 'external'> | null;

export interface ChosenBalancer extends BalancerDriver {
  /** Undefined while not all is known that a director follows: services that have not come yet are not gone. */
  chosen(): Chosen | undefined;
  /** Whether an earlier choice has left something to take away. */
  isLeft(): boolean;
}

export function createBalancer({
  node,
  desired,
  run,
  execute,
  alarm,
  clock,
}: BalancerOptions): ChosenBalancer {
  const folder = join(run, 'lvs');
  const ipvs = createIpvs({ run: execute, memory: join(folder, 'services') });
  const files = createTrackedFiles({ folder, clock });
  const declared = (): Declaration => {
    const self = desired.get('Node', node)?.spec;
    const fallbackPort = desired.get('Cluster', 'cluster')?.spec.fallback.port ?? 0;
    const director = { address: self?.address ?? '', address6: self?.address6, fallbackPort };
    return { services: desired.list('VirtualService'), nodes: desired.list('Node'), director };
  };
  const isHung = () => {
    const pid = pidIn(join(folder, 'checkers.pid'));
    return pid !== null && isStopped(pid);
  };
  const drivers: Record<NonNullable<Chosen>, BalancerDriver> = {
    lvs: createLvsDriver({ ipvs, files, declared, isStopped: isHung, alarm, clock }),
    ipvsadm: createIpvsadmDriver({ ipvs, declared }),
    haproxy: createHaproxyDriver({
      socket: join(run, 'haproxy.sock'),
      stateFile: join(run, 'haproxy.state'),
      clock,
    }),
  };
  const chosen = (): Chosen | undefined => {
    const cluster = desired.get('Cluster', 'cluster');
    const self = desired.get('Node', node);
    if (!cluster || !self) return undefined;
    const { balancer } = cluster.spec;
    if (!self.spec.roles.includes(BALANCER_ROLE) || balancer === 'external') return null;
    const scopes = scopesOf({ node, roles: [BALANCER_ROLE] });
    return scopes.every((scope) => desired.stand(scope) !== null) ? balancer : undefined;
  };
  let last: Chosen | undefined;
  /** Nothing is left while it is not known what is to follow. */
  const choose = async (): Promise<BalancerDriver | null> => {
    const now = chosen();
    if (now === undefined) return null;
    if (now !== last) {
      if (now !== 'lvs') files.clear();
      if (now !== 'lvs' && now !== 'ipvsadm') await ipvs.leave();
      last = now;
    }
    return now === null ? null : drivers[now];
  };
  const current = () => (last ? drivers[last] : null);
  return {
    chosen,
    isLeft: ipvs.isLeft,
    read: async () => {
      const driver = await choose();
      return last === null ? [] : (driver?.read() ?? null);
    },
    plan: (...given) => current()?.plan(...given) ?? [],
    apply: async (changes) => current()?.apply(changes),
    keep: async () => (await choose())?.keep(),
    soon: () => current()?.soon?.() ?? Number.POSITIVE_INFINITY,
    traffic: async () => (await current()?.traffic()) ?? [],
  };
}
