/**
 * The guard before keepalived: an empty file is a valid configuration that empties the table, and a truncated one can be
 * valid too. So what was rendered must hold everything that the resources it was made from explain. Pure.
 */
import type { Context } from '../../../common/render/rendered.ts';
import type { Declared } from '../../../common/view.ts';
import type { NodeSpec } from '../../../protocol/resources/node.ts';
import type { VirtualServiceSpec } from '../../../protocol/resources/virtual-service.ts';
import { structureOf } from './structure.ts';
import { placeAt } from './table.ts';

const MOST_NAMED = 5;

/** What speaks against a keepalived.conf with virtual servers; null when nothing does. */
export function shrunken(text: string, inputs: Context['inputs']): string | null {
  const has = serversIn(text);
  if (has.size === 0)
    return 'there is no virtual server in it, and keepalived would empty the table of the kernel';
  const entries = structureOf({ ...declaredIn(inputs), director: { address: '', fallbackPort: 0 } });
  const problems = entries.flatMap(({ service, key, members }): string[] => {
    const servers = has.get(key);
    if (members.length === 0) return [];
    if (servers === undefined) return [`there is no virtual server ${key}, which ${service} declares`];
    const absent = members.filter(({ place }) => !servers.has(place));
    const places = new Set(members.map(({ place }) => place));
    const strangers = [...servers].filter((place) => !places.has(place));
    return [
      ...absent.map(({ node, place }) => `${key} lacks ${place}, which is ${node}`),
      ...strangers.map((place) => `${key} has ${place}, which is no member of ${service}`),
    ];
  });
  if (problems.length === 0) return null;
  const more = problems.length > MOST_NAMED ? ` (and ${problems.length - MOST_NAMED} more)` : '';
  return `${problems.slice(0, MOST_NAMED).join('; ')}${more}`;
}

/** What templates see of resources lacks weights, which are no structure. */
function declaredIn(inputs: Context['inputs']) {
  const items = Object.values(inputs).flatMap((input) => input.items);
  const of = <Spec>(kind: string, beside: Partial<Spec>): Declared<Spec>[] =>
    items
      .filter((item) => item.kind === kind)
      .map(({ name, spec }) => ({ name, spec: { ...(spec as Spec), ...beside } }));
  return {
    services: of<VirtualServiceSpec>('VirtualService', { weights: {} }),
    nodes: of<NodeSpec>('Node', { weight: 100 }),
  };
}

const head = /^virtual_server (?:fwmark (?<mark>\d+)|(?<address>\S+) (?<port>\d+)) \{$/;
const real = /^\s+real_server (?<address>\S+)(?: (?<port>\d+))? \{$/;

/** Virtual servers as the kernel's table would name them, each with the places of its real servers. */
function serversIn(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const block of text.split(/^(?=virtual_server )/m)) {
    const [first = '', ...lines] = block.split('\n');
    const { mark, address = '', port } = head.exec(first)?.groups ?? {};
    if (mark === undefined && port === undefined) continue;
    const protocol = /^\s+protocol UDP$/m.test(block) ? 'udp' : 'tcp';
    const key = mark === undefined ? `${protocol} ${placeAt(address, Number(port))}` : `mark ${mark}`;
    const servers = lines.flatMap((line) => {
      const groups = real.exec(line)?.groups;
      return groups ? [placeAt(groups.address ?? '', Number(groups.port ?? 0))] : [];
    });
    found.set(key, new Set(servers));
  }
  return found;
}
