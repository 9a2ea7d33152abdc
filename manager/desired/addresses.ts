/** Addresses: no two virtual services answer at one address and port, since a balancer would share it out by chance. Pure. */
import type { Proposal } from '../../common/rules.ts';
import type { Problem } from '../../protocol/errors.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';
import { problemAt, type Touched } from './place.ts';

type Spec = Pick<VirtualServiceSpec, 'vip' | 'protocol'>;

/** One port of UDP and the same of TCP are two. */
const placeOf = (vip: string, protocol: Spec['protocol'], port: number): string =>
  `${protocol === 'udp' ? 'udp' : 'tcp'} ${vip}:${port}`;

/** What stands in the store already is nobody's fault in this request. */
export function addressProblems({ after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('VirtualService')) return [];
  const services = [...after.VirtualService.values()];
  const editOf = (name: string) => touched.of('VirtualService', name);
  const claimed = new Map<string, string>();
  const claims = (name: string, { vip, protocol }: Spec, port: number): boolean => {
    const place = placeOf(vip, protocol, port);
    if (claimed.has(place)) return false;
    claimed.set(place, name);
    return true;
  };
  for (const { name, spec } of services.filter((service) => !editOf(service.name)))
    for (const { port } of spec.ports) claims(name, spec, port);
  return services.flatMap(({ name, spec }) => {
    const { vip, protocol, ports } = spec;
    const edit = editOf(name);
    if (!edit) return [];
    return ports.flatMap(({ port }, at): Problem[] => {
      if (claims(name, spec, port)) return [];
      const other = claimed.get(placeOf(vip, protocol, port));
      return [
        problemAt(edit, `spec/ports/${at}`, {
          code: 'address-conflict',
          value: `${vip}:${port}`,
          message: `${vip}:${port} is taken by the virtual service ${other} already`,
          fix: 'use another address or port, or remove it from the other one in the same request',
        }),
      ];
    });
  });
}
