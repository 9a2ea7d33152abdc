/** Advice: what is right, and yet does nothing. Said beside the answer of a change; it refuses nothing. Pure. */
import { milliseconds } from '../../common/units.ts';
import { canonical, parseResource, type ResourceOf } from '../../protocol/resource.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';
import { BALANCER_ROLE } from '../../protocol/topics.ts';

type Service = Pick<ResourceOf<'VirtualService'>, 'name' | 'spec'>;
type Box = Pick<ResourceOf<'Node'>, 'spec'>;

/** @param services those that a change touches: all of them where it touches the Cluster */
export function adviceOn(
  cluster: Pick<ResourceOf<'Cluster'>, 'spec'> | undefined,
  services: Iterable<Service>,
  nodes: Iterable<Box>,
): string[] {
  const balancer = cluster?.spec.balancer;
  if (balancer === 'external') return [...services].flatMap(outOfOurHands);
  if (balancer === 'lvs' || balancer === 'ipvsadm')
    return [...services].flatMap((one) => [...withoutWeights(one), ...aloneInGroup(one)]);
  if (balancer === 'haproxy') return withoutAddress([...services], [...nodes]);
  return [];
}

/** HAProxy starts without its addresses, and nobody would wonder before visitors do. */
function withoutAddress(services: readonly Service[], nodes: readonly Box[]): string[] {
  const directors = nodes.filter(({ spec }) => spec.roles.includes(BALANCER_ROLE)).map(({ spec }) => spec);
  if (directors.length === 0 || directors.some(({ parameters }) => parameters.vipInterface)) return [];
  const own = directors.flatMap(({ address, address6 = address }) => [address, address6]);
  const isThere = (vip: string) => own.includes(vip) || vip.startsWith('127.') || vip === '::1';
  const vips = [...new Set(services.map(({ spec }) => spec.vip))].filter((vip) => !isThere(vip));
  if (vips.length === 0) return [];
  return [
    `with the balancer haproxy nobody here puts ${vips.slice(0, 3).join(', ')}${vips.length > 3 ? ` and ${vips.length - 3} more` : ''} on a box: set the parameter vipInterface of the director, unless somebody else does that`,
  ];
}

function outOfOurHands({ name, spec }: Service): string[] {
  const idle = othersMatters(spec);
  if (idle.length === 0) return [];
  const [what, have] = [idle.join(', '), idle.length === 1 ? 'has' : 'have'];
  return [
    `VirtualService/${name}: the balancer is external, so ${what} ${have} no effect: set that where it runs`,
  ];
}

/** Schedulers of the kernel that know in and out alone, each with the one that is the same with weights. */
const weightless: Partial<Record<VirtualServiceSpec['scheduler'], string>> = {
  ...{ rr: 'wrr', lc: 'wlc', dh: 'mh' },
};

function withoutWeights({ name, spec: { scheduler, pool, weights } }: Service): string[] {
  const better = weightless[scheduler];
  const idle = [
    ...(milliseconds(pool.slowStart) > 0 ? ['pool.slowStart'] : []),
    ...(Object.keys(weights).length > 0 ? ['weights'] : []),
  ];
  if (better === undefined || idle.length === 0) return [];
  return [
    `VirtualService/${name}: the scheduler ${scheduler} of LVS knows no weights, so ${idle.join(' and ')} ${idle.length === 1 ? 'does' : 'do'} nothing: use ${better}`,
  ];
}

/** A group makes one service of its ports; that a visitor meets one member at all of them is by persistence. */
const aloneInGroup = ({ name, spec: { groupPorts, persistence } }: Service): string[] =>
  groupPorts && persistence === undefined
    ? [
        `VirtualService/${name}: groupPorts without persistence leads a visitor to another member at each connection: set persistence: {seconds: 300}`,
      ]
    : [];

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
