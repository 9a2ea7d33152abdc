/** The check ports-in: whether the manager reaches the health port of a box. It knocks at the address that asks, and at no other. */
import { fail, pass, skip } from '../../common/findings.ts';
import type { Reach } from '../../common/reach.ts';
import type { Finding } from '../../protocol/preflight.ts';

export interface Knock {
  /** At which others are to reach the box. */
  address: string;
  /** Of the connection by which it asks. */
  from: string;
  /** What the box has opened for a moment. */
  listens: number | undefined;
  /** Where directors will ask it. */
  health: number;
}

/** So long a knock is waited for, in milliseconds. */
export const PATIENCE_MS = 2_000;
const LATER = 'the ports of its roles are tried once their daemons listen';

export async function portsIn({ address, from, listens, health }: Knock, reach: Reach): Promise<Finding> {
  const plain = from.replace(/^::ffff:/, '');
  if (listens === undefined)
    return skip('ports-in', `the box could not open ${health} for a moment; see ports-taken and addresses`);
  if (listens !== health)
    return skip('ports-in', `it was not tried: the health port of this cluster is ${health}`);
  if (plain !== address)
    return skip(
      'ports-in',
      `the box asks from ${plain}, so the manager did not knock at ${address}:${health}; ${LATER}`,
    );
  const why = await reach(address, health);
  if (why === null) return pass('ports-in', `the manager reaches ${address}:${health}; ${LATER}`);
  return fail('ports-in', `the manager does not reach ${address}:${health}: ${why}`, {
    why: 'directors and external balancers ask a node there whether it may take traffic',
    fix: `open ${health} and the ports of its roles for the cluster network in the firewall of the box`,
    command: `nft add rule inet filter input tcp dport ${health} accept`,
  });
}
