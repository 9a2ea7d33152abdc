/** Waves: which nodes are made newer together, so that no pool loses more than it can bear. Pure. */
import { standingOf } from '../../common/serving.ts';
import { BALANCER_ROLE } from '../../protocol/topics.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';

export interface Wave {
  nodes: string[];
  /** Those that are drained first: they are in pools that can do without them. */
  drained: string[];
}

/**
 * @param todo the nodes that still have another release, in the order in which they are taken
 * @param most how many at once; the very first wave is one node, by which the release is tried
 * @param aside nodes that somebody else has taken out of their pools, also where directors have not heard of it yet
 * @returns the next wave; a node that alone serves a pool is not drained, for its daemons go on while its agent is replaced
 */
export function nextWave(
  todo: readonly NodeView[],
  pools: readonly PoolView[],
  { most, aside = new Set() }: { most: number; aside?: ReadonlySet<string> },
): Wave {
  const standing = standingOf(pools, { away: new Set(), aside });
  const wave: Wave = { nodes: [], drained: [] };
  let hasDirector = false;
  for (const { name, roles } of todo) {
    if (wave.nodes.length >= most) break;
    // Directors spread the load, and see to it that nobody drained is asked: one at a time.
    const isDirector = roles.includes(BALANCER_ROLE);
    if (isDirector && hasDirector) continue;
    const canGo = standing.keeps(name) === undefined;
    if (!canGo && wave.nodes.length > 0) continue;
    wave.nodes.push(name);
    hasDirector ||= isDirector;
    if (canGo && standing.served(name).length > 0) wave.drained.push(name);
    standing.take(name);
    if (!canGo) break;
  }
  return wave;
}
