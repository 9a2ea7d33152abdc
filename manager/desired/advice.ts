/** Advice: what is right, and yet does nothing. Said beside the answer of a change; it refuses nothing. Pure. */
import { canonical, parseResource, type ResourceOf } from '../../protocol/resource.ts';
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

/** What is another person's matter there. */
const matters: Record<string, (spec: VirtualServiceSpec) => unknown> = {
  scheduler: ({ scheduler }) => scheduler,
  forwarding: ({ forwarding }) => forwarding,
  groupPorts: ({ groupPorts }) => groupPorts,
  persistence: ({ persistence }) => persistence ?? null,
  fallback: ({ fallback }) => fallback,
  'pool.slowStart': ({ pool }) => pool.slowStart,
  'pool.holdDown': ({ pool }) => pool.holdDown,
};

/** The fields that say something else than what holds where nothing is said. */
const othersMatters = (spec: VirtualServiceSpec): string[] =>
  Object.keys(matters).filter((field) => canonical(matters[field]?.(spec)) !== unsaid[field]);

const plain = parseResource({
  ...{ kind: 'VirtualService', name: 'plain' },
  spec: { vip: '192.0.2.1', ports: [80], pool: { role: 'web', check: 'http' } },
});
const unsaid = Object.fromEntries(
  Object.entries(matters).map(([field, of]) => [
    field,
    plain.ok ? canonical(of(plain.resource.spec as VirtualServiceSpec)) : '',
  ]),
);
