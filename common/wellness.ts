/** Whether a node is as well as it was before somebody worked on it. Pure. */
import type { NodeView, PoolView } from '../protocol/views.ts';
import { servingIn } from './serving.ts';

/** How a node was before it was touched: it is to be no worse afterwards. */
export interface Before {
  /** Checks that were down, `unit/check`. */
  down: readonly string[];
  converged: boolean;
  /** The services in whose pools it served. */
  served: readonly string[];
}

type Seen = Pick<NodeView, 'name' | 'online' | 'converged' | 'checks'>;

const downOn = ({ checks }: Pick<NodeView, 'checks'>) => checks.filter(({ state }) => state === 'down');

export const beforeOf = (node: Seen, served: readonly string[]): Before => ({
  down: downOn(node).map(({ unit, check }) => `${unit}/${check}`),
  converged: node.converged,
  served,
});

/** @returns what is worse by itself than it was, for people; undefined: nothing */
export function worseThan({ down, converged }: Before, node: Seen): string | undefined {
  if (!node.online) return 'it is not heard';
  const fresh = downOn(node).find(({ unit, check }) => !down.includes(`${unit}/${check}`));
  if (fresh) return `${fresh.unit}/${fresh.check} is down: ${fresh.detail}`;
  return node.converged || !converged ? undefined : 'it has not converged';
}

/** @returns the service whose pool it served before and does not serve now; of one whose member it is no more it is not asked */
export const missedIn = (
  { served }: Pick<Before, 'served'>,
  name: string,
  pools: readonly PoolView[],
): string | undefined =>
  pools.find(
    (pool) =>
      served.includes(pool.service) &&
      pool.members.some(({ node }) => node === name) &&
      !servingIn(pool).includes(name),
  )?.service;
