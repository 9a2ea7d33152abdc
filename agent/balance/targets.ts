/** Targets: what a director tries, through the data path, to see whether a member serves. */
import { isIPv6 } from 'node:net';
import type { Verdict } from '../../common/health/judge.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { milliseconds } from '../../common/units.ts';
import type { Declared } from '../../common/view.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { Probe, VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';

export type Service = Declared<VirtualServiceSpec>;
export type Member = Declared<NodeSpec>;

export const membersOf = ({ spec }: Service, nodes: readonly Member[]): Member[] =>
  nodes.filter(({ spec: node }) => node.roles.includes(spec.pool.role));

/** The backend that the balancer's configuration has for one port of a service. */
export const backendsOf = ({ name, spec }: Service): string[] =>
  spec.ports.map(({ port }) => `${name}-${port}`);

/**
 * One port of a service gets the declared probe; what the others speak is not known, so they only have to accept. What
 * is sent to a UDP port may go unanswered by a daemon that is well, so of such a service only the declared port is
 * tried, and only by a probe that names its protocol. The further ports of FTP are for data, and listen for a moment.
 */
export function targetsOf(service: Service, member: Member): ResolvedCheck[] {
  const { protocol, ports, pool } = service.spec;
  const { probe } = pool;
  const timing = {
    interval: milliseconds(probe.interval),
    timeout: milliseconds(probe.timeout),
    fall: probe.fall,
    rise: probe.rise,
  };
  const declared = (ports.find(({ port }) => port === probe.port) ?? ports[0])?.target;
  const isUdp = protocol === 'udp';
  const listenAll = !isUdp && probe.type !== 'ftp';
  return [...new Set(ports.map(({ target }) => target))].flatMap((port): ResolvedCheck[] => {
    const at = { name: checkName(member.name, port), address: addressOf(service, member), port, ...timing };
    if (port === declared && probe.type !== 'tcp') return [{ ...at, ...askedOf(probe, isUdp) }];
    return listenAll ? [{ type: 'tcp', ...at }] : [];
  });
}

/** Visitors of an IPv6 address are served at one. */
const addressOf = ({ spec: { vip } }: Service, { spec: { address, address6 = address } }: Member): string =>
  isIPv6(vip) ? address6 : address;

/** The director asks whether a member serves, so any certificate counts: one that has expired takes no pool away. */
function askedOf({ type, host, path, tls, query = '.', record }: Probe, isUdp: boolean) {
  const named = host === undefined ? {} : { host };
  switch (type) {
    case 'tcp':
      return { type };
    case 'http':
      return { type, ...named, path, status: WELL };
    case 'https':
      return { type, ...named, path, status: WELL, certificate: 'any' as const };
    case 'dns':
      return { type, query, record, transport: isUdp ? ('udp' as const) : ('tcp' as const) };
    default:
      return { type, ...named, tls, certificate: 'any' as const };
  }
}

/** Whatever is not an error shows that the member answers for itself. */
const WELL = Array.from({ length: 200 }, (_, index) => 200 + index);

const checkName = (node: string, port: number): string => `${node}:${port}`;
export const memberOf = (checkName: string): string => checkName.slice(0, checkName.lastIndexOf(':'));

/** A member is only as well as the worst of its ports. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('down')) return 'down';
  return verdicts.length > 0 && verdicts.every((verdict) => verdict === 'up') ? 'up' : 'unknown';
}
