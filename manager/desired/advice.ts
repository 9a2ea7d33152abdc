/** Advice: what is right, and yet does nothing. Said beside the answer of a change; it refuses nothing. Pure. */
import type { ResourceOf } from '../../protocol/resource.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';

type Service = Pick<ResourceOf<'VirtualService'>, 'name' | 'spec'>;

/** @param services those that a change touches: all of them where it touches the Cluster */
export function adviceOn(
  cluster: Pick<ResourceOf<'Cluster'>, 'spec'> | undefined,
  services: Iterable<Service>,
): string[] {
  if (cluster?.spec.balancer !== 'external') return [];
  return [...services].flatMap(({ name, spec }) => {
    const idle = othersMatters(spec);
    if (idle.length === 0) return [];
    return [
      `VirtualService/${name}: the balancer is external, so ${idle.join(', ')} ${idle.length === 1 ? 'has' : 'have'} no effect: set that where it runs`,
    ];
  });
}

/** What was said of how traffic is spread, other than what holds where nothing is said. */
function othersMatters({
  scheduler,
  forwarding,
  groupPorts,
  persistence,
  fallback,
  pool,
}: VirtualServiceSpec): string[] {
  const said: [string, boolean][] = [
    ['scheduler', scheduler !== 'wlc'],
    ['forwarding', forwarding !== 'DR'],
    ['groupPorts', groupPorts],
    ['persistence', persistence !== undefined],
    ['fallback', fallback !== 'manager'],
    ['pool.slowStart', !isNothing(pool.slowStart)],
    ['pool.holdDown', !isNothing(pool.holdDown.first)],
  ];
  return said.filter(([, is]) => is).map(([field]) => field);
}

const isNothing = (duration: string): boolean => /^0+[a-z]/.test(duration);
