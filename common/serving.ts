/** Who serves in a pool, and whether a node may be taken out of all of its own. Pure. */
import type { PoolView } from '../protocol/views.ts';

/** The nodes that take new connections in a pool, as its directors have them; without any, as the manager wants them. */
export function servingIn({ members }: PoolView): string[] {
  return members
    .filter(({ wanted, actual }) =>
      actual.length === 0
        ? wanted.operator === 'none' && wanted.opinion !== 'down' && wanted.weight > 0
        : actual.some(({ state, weight }) => state === 'up' && weight > 0),
    )
    .map(({ node }) => node);
}

/** A few names of many. */
const someOf = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;

/** Who serves where, and whom each pool can spare. */
export interface Standing {
  /**
   * Whether half of each pool of a node stays, and one at least, when it goes as well. Undefined: it does.
   * @returns why not; `alone`: nobody else serves there now, and nobody of whom we know comes back
   */
  keeps(name: string): { why: string; alone: boolean } | undefined;
  /** The services in whose pools it serves. */
  served(name: string): string[];
  /** It goes. */
  take(name: string): void;
}

/**
 * @param away taken out for a while by somebody who gives them back: those that served are counted as if they did
 * @param aside taken out by an operator, for as long as he likes: they do not count, whatever directors still say
 */
export function standingOf(
  pools: readonly PoolView[],
  { away, aside }: { away: ReadonlySet<string>; aside: ReadonlySet<string> },
): Standing {
  const byNode = new Map<string, { service: string; size: number; gone: Set<string>; aside: string[] }[]>();
  for (const pool of pools) {
    const serving = servingIn(pool).filter((node) => !aside.has(node) && !away.has(node));
    const members = pool.members.map(({ node }) => node);
    const gone = new Set(members.filter((node) => away.has(node)));
    const one = {
      ...{ service: pool.service, size: serving.length + gone.size, gone },
      aside: members.filter((node) => aside.has(node)),
    };
    for (const node of serving) byNode.set(node, [...(byNode.get(node) ?? []), one]);
  }
  return {
    keeps: (name) => {
      for (const { service, size, gone, aside: others } of byNode.get(name) ?? []) {
        if (size - gone.size - 1 >= Math.max(1, Math.ceil(size / 2))) continue;
        if (gone.size > 0)
          return { why: `${someOf([...gone])} is away, and half of ${service} is to serve`, alone: false };
        if (others.length > 0)
          return { why: `it alone serves ${service} while ${someOf(others)} is set aside`, alone: false };
        return { why: `it alone serves ${service}`, alone: true };
      }
      return undefined;
    },
    served: (name) => (byNode.get(name) ?? []).map(({ service }) => service),
    take: (name) => {
      for (const { gone } of byNode.get(name) ?? []) gone.add(name);
    },
  };
}

/**
 * Whether a node has left its pools: no balancer sends it anything, and those that tell have told so.
 * @param waited whether a balancer that tells nothing has had its time
 */
export function isOut(name: string, pools: readonly PoolView[], waited: boolean): boolean {
  const mine = pools.flatMap(({ members }) => members.filter(({ node }) => node === name));
  const isTold = mine.every(({ actual }) => actual.length > 0) || waited;
  return (
    isTold && mine.every(({ actual }) => actual.every(({ state }) => state !== 'up' && state !== 'drain'))
  );
}
