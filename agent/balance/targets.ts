/** Targets: what a director tries, through the data path, to see whether a member serves. */
import type { Verdict } from '../../common/health/judge.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { milliseconds } from '../../common/units.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';

export interface Declared<Spec> {
  name: string;
  spec: Spec;
}

export type Service = Declared<VirtualServiceSpec>;
export type Member = Declared<NodeSpec>;

export const membersOf = ({ spec }: Service, nodes: readonly Member[]): Member[] =>
  nodes.filter(({ spec: node }) => node.roles.includes(spec.pool.role));

/** The backend that the balancer's configuration has for one port of a service. */
export const backendsOf = ({ name, spec }: Service): string[] =>
  spec.ports.map(({ port }) => `${name}-${port}`);

/** The first port of a service gets the declared probe; what the others speak is not known, so they only have to accept. */
export function targetsOf(service: Service, member: Member): ResolvedCheck[] {
  const { probe } = service.spec.pool;
  const timing = {
    interval: milliseconds(probe.interval),
    timeout: milliseconds(probe.timeout),
    fall: probe.fall,
    rise: probe.rise,
  };
  const ports = [...new Set(service.spec.ports.map(({ target }) => target))];
  return ports.map((port, index): ResolvedCheck => {
    const at = { name: checkName(member.name, port), address: member.spec.address, port, ...timing };
    if (probe.type === 'tcp' || index > 0) return { type: 'tcp', ...at };
    return {
      type: 'http',
      ...at,
      ...(probe.host ? { host: probe.host } : {}),
      path: probe.path,
      status: WELL,
    };
  });
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
