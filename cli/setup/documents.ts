/** From answers to what is declared, and back: the documents of a setup, each with the answer that it comes from. Pure. */
import { canonical, keyOf, type Resource, type ResourceOf } from '../../protocol/resource.ts';
import type { ClusterSpec } from '../../protocol/resources/cluster.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { Answers, PlannedNode, SharedStorage } from './answers.ts';

/** What is declared already. */
export interface Known {
  cluster: ResourceOf<'Cluster'>;
  nodes: ResourceOf<'Node'>[];
  services: ResourceOf<'VirtualService'>[];
  storages: ResourceOf<'Storage'>[];
}

export const allIn = ({ cluster, nodes, storages, services }: Known): Resource[] => [
  ...[cluster, ...nodes, ...storages, ...services],
];

export const specIn = (known: Known, document: { kind: string; name: string }): object | undefined =>
  allIn(known).find((one) => keyOf(one) === keyOf(document))?.spec;

export interface Planned {
  document: { kind: 'Cluster' | 'Node' | 'Storage' | 'VirtualService'; name: string; spec: object };
  /** The answer behind a field of the document. */
  answer(path: string): string;
}

/** The virtual services of a setup; what an operator has made of them otherwise stays. */
const HTTP = 'web';
const HTTPS = 'web-tls';

const ALIVE = '/.evenkeel/alive';

/** What is answered beside what is declared, and which answers that already is. */
interface Ground {
  answers: Partial<Answers>;
  known: Known;
  now: Partial<Answers>;
}

/**
 * In the order in which references resolve. Answers that are missing declare nothing, and an answer that is as what is
 * declared changes nothing of it: a service may have further ports, and each director a card of its own.
 */
export function documentsOf(answers: Partial<Answers>, known: Known): Planned[] {
  const ground = { answers, known, now: answersIn(known) };
  return [
    clusterOf(answers, known),
    ...(answers.nodes ?? []).map((node, at) => nodeOf(node, at, ground)),
    ...storageOf(answers, known),
    ...servicesOf(ground),
  ];
}

function clusterOf(
  { address, networks, balancer, approveJoins }: Partial<Answers>,
  { cluster }: Known,
): Planned {
  const spec: ClusterSpec = { ...cluster.spec };
  if (address !== undefined) spec.address = address;
  if (networks !== undefined) spec.networks = networks;
  if (balancer !== undefined) spec.balancer = balancer.driver;
  // Not said and said not to are the same.
  if (approveJoins === true || spec.approveJoins !== undefined) spec.approveJoins = approveJoins ?? false;
  return {
    document: { kind: 'Cluster', name: 'cluster', spec },
    answer: (path) =>
      path.startsWith('spec/networks') || path === 'spec/address'
        ? path.replace('spec/', '')
        : path === 'spec/balancer'
          ? 'balancer/driver'
          : path.replace('spec/approveJoins', 'approveJoins'),
  };
}

/** Silent about what others say of the node: the box itself, and the verbs. */
function nodeOf(node: PlannedNode, at: number, { answers, known, now }: Ground): Planned {
  const { name, address, roles } = node;
  const spec = known.nodes.find((one) => one.name === name)?.spec;
  const [cards, before] = [
    roles.includes('balancer') ? cardsOf(answers.balancer) : {},
    cardsOf(now.balancer),
  ];
  const others = Object.fromEntries(Object.entries(cards).filter(([card, value]) => before[card] !== value));
  const own = spec && {
    ...(spec.address6 === undefined ? {} : { address6: spec.address6 }),
    ...{ mode: spec.mode, weight: spec.weight },
    ...(spec.system === undefined ? {} : { system: spec.system }),
  };
  return {
    document: {
      ...{ kind: 'Node', name },
      spec: {
        ...{ ...own, address, roles },
        parameters: { ...cards, ...parametersFor(roles, spec), ...node.parameters, ...others },
      },
    },
    answer: (path) =>
      /^spec\/parameters\/(vrrp|vip)/.test(path)
        ? `balancer/${path.includes('Sync') ? 'syncCard' : 'card'}`
        : `nodes/${at}/${path.replace('spec/', '')}`,
  };
}

/** Who gives up to balance gives up the cards: no policy would declare them. */
function parametersFor(roles: string[], spec: NodeSpec | undefined): NodeSpec['parameters'] {
  const { parameters = {}, roles: before = [] } = spec ?? {};
  if (roles.includes('balancer') || !before.includes('balancer')) return parameters;
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !cardParameters.includes(name)));
}

const cardParameters = ['vipInterface', 'vrrpInterface', 'vrrpSyncInterface'];

/** On which card the addresses of visitors are put, in the words of the policies that ship. */
function cardsOf(balancer: Answers['balancer'] | undefined): Record<string, string> {
  const { driver, card, syncCard } = balancer ?? { driver: 'external' as const };
  if (driver === 'external') return {};
  if (driver !== 'lvs') return card === undefined ? {} : { vipInterface: card };
  return {
    ...(card === undefined ? {} : { vrrpInterface: card }),
    ...(syncCard === undefined ? {} : { vrrpSyncInterface: syncCard }),
  };
}

function storageOf({ storage }: Partial<Answers>, { storages }: Known): Planned[] {
  if (storage === undefined || storage === 'none') return [];
  const { name, ...place } = storage;
  // What is under way is written by the manager alone.
  const { move: _, ...before } = storages.find((one) => one.name === name)?.spec ?? {};
  return [
    {
      document: { kind: 'Storage', name, spec: { ...before, ...place } },
      answer: (path) => path.replace('spec', 'storage'),
    },
  ];
}

function servicesOf({ answers: { visitors, balancer }, known, now }: Ground): Planned[] {
  if (visitors === undefined) return [];
  const { vip, http, https } = visitors;
  const isLvs = balancer?.driver === 'lvs' || balancer?.driver === 'ipvsadm';
  const forwarding = isLvs ? balancer.forwarding : undefined;
  const portsOf = (name: string, served: Served) => {
    const [, ...further] = known.services.find((service) => service.name === name)?.spec.ports ?? [];
    return [pairOf(served), ...further.filter(({ port }) => port !== pairOf(served).port)];
  };
  const one = (name: string, field: 'http' | 'https', served: Served, otherwise: object): Planned => ({
    document: {
      ...{ kind: 'VirtualService', name },
      spec: {
        ...{ vip, ports: [pairOf(served)], ...(forwarding === undefined ? {} : { forwarding }) },
        ...(known.services.find((service) => service.name === name)?.spec ?? otherwise),
        ...(vip === now.visitors?.vip ? {} : { vip }),
        ...(isEqual(served, now.visitors?.[field]) ? {} : { ports: portsOf(name, served) }),
        ...(forwarding === undefined || forwarding === now.balancer?.forwarding ? {} : { forwarding }),
      },
    },
    answer: (path) =>
      path.startsWith('spec/ports')
        ? `visitors/${field}`
        : path === 'spec/forwarding'
          ? 'balancer/forwarding'
          : path.replace('spec', 'visitors'),
  });
  const pool = { role: 'web', check: 'http' };
  const web = { protocol: 'http', pool: { ...pool, probe: { type: 'http', path: ALIVE } } };
  // Nobody but a member has the certificates: the page of the fallback could not be shown.
  const tls = { protocol: 'tcp', pool: { ...pool, probe: { type: 'tcp' } }, fallback: 'none' };
  return [
    ...(http === undefined ? [] : [one(HTTP, 'http', http, web)]),
    ...(https === undefined ? [] : [one(HTTPS, 'https', https, tls)]),
  ];
}

const isEqual = (one: unknown, other: unknown): boolean =>
  canonical(one ?? null) === canonical(other ?? null);

type Served = NonNullable<Answers['visitors']['http']>;

const pairOf = (served: Served) => (typeof served === 'number' ? { port: served, target: served } : served);
const servedOf = ({ port, target }: { port: number; target: number }): Served =>
  port === target ? port : { port, target };

/** What is declared, as answers: where a setup begins, and what it proposes. */
export function answersIn({ cluster, nodes, services, storages }: Known): Partial<Answers> {
  const { address, networks, balancer, approveJoins } = cluster.spec;
  const web = services.find(({ name }) => name === HTTP);
  const tls = services.find(({ name }) => name === HTTPS);
  const vip = (web ?? tls)?.spec.vip;
  const isLaidOut = networks !== undefined && vip !== undefined;
  return {
    address,
    ...(networks === undefined ? {} : { networks }),
    ...(nodes.length === 0 ? {} : { nodes: nodes.map(plannedOf) }),
    ...(isLaidOut ? { balancer: balancerIn(balancer, nodes, web ?? tls) } : {}),
    ...(vip === undefined
      ? {}
      : {
          visitors: {
            ...{ vip, ...servedIn('http', web), ...servedIn('https', tls) },
          },
        }),
    ...storageIn(storages, isLaidOut),
    ...(isLaidOut ? { approveJoins: approveJoins ?? false } : {}),
  };
}

/** Without its parameters: those are no answer, and stay as they are declared. */
export const plannedOf = ({ name, spec: { address, roles } }: ResourceOf<'Node'>): PlannedNode => ({
  ...{ name, address, roles, parameters: {} },
});

function servedIn(field: 'http' | 'https', service: ResourceOf<'VirtualService'> | undefined) {
  const [first] = service?.spec.ports ?? [];
  return first === undefined ? {} : { [field]: servedOf(first) };
}

function balancerIn(
  driver: ClusterSpec['balancer'],
  nodes: Known['nodes'],
  service: ResourceOf<'VirtualService'> | undefined,
): Answers['balancer'] {
  const isLvs = driver === 'lvs' || driver === 'ipvsadm';
  const director = nodes.find(({ spec }) => spec.roles.includes('balancer'))?.spec.parameters ?? {};
  const card = driver === 'lvs' ? director.vrrpInterface : director.vipInterface;
  const sync = director.vrrpSyncInterface;
  return {
    driver,
    ...(isLvs && service ? { forwarding: service.spec.forwarding } : {}),
    ...(typeof card === 'string' && card !== '' ? { card } : {}),
    ...(driver === 'lvs' && typeof sync === 'string' && sync !== '' ? { syncCard: sync } : {}),
  };
}

/** Where the rest is laid out and there is no storage, there is to be none. */
function storageIn([first]: Known['storages'], isLaidOut: boolean): Partial<Pick<Answers, 'storage'>> {
  if (first === undefined) return isLaidOut ? { storage: 'none' } : {};
  return { storage: sharedOf(first) };
}

export function sharedOf({ name, spec }: ResourceOf<'Storage'>): SharedStorage {
  const { server, export: path, mountpoint, link } = spec;
  return { name, server, export: path, mountpoint, ...(link === undefined ? {} : { link }) };
}
