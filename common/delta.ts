/** Delta or snapshot, believed or refused: every decision about what a manager shows of a scope, from values alone. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Change, Changes, Head } from '../protocol/messages.ts';
import { EMPTY_DIGEST } from './digest.ts';

/** Where a node stands in a scope. */
export interface Stand {
  epoch: number;
  rev: number;
  count: number;
  digest: string;
}

/** A node that never had anything of a scope. */
export const NOTHING: Stand = { epoch: 0, rev: 0, count: 0, digest: EMPTY_DIGEST };

export type HeadDecision =
  /** It is where the node is. */
  | { act: 'ignore' }
  /** The changes lead from where the node is to where the head is; none where only the revision moved. */
  | { act: 'apply'; changes: Change[] }
  /** Ask for what came after `since` in `epoch`; zero in both asks for a snapshot. */
  | { act: 'pull'; epoch: number; since: number }
  | { act: 'refuse'; code: ErrorCode; reason: string };

/** What is true of any stand that a manager shows: of this cluster, and never older than what the node has. */
function wentBack(cluster: string, own: Stand, shown: Head | Changes): string | undefined {
  if (shown.cluster !== cluster)
    return `it is of the cluster ${shown.cluster}, this node belongs to ${cluster}`;
  if (shown.epoch < own.epoch) return `it is of epoch ${shown.epoch}, this node has seen epoch ${own.epoch}`;
  if (shown.epoch === own.epoch && shown.rev < own.rev)
    return `it is revision ${shown.rev}, this node has revision ${own.rev}`;
  return undefined;
}

const sameContent = (own: Stand, shown: Head | Changes) =>
  own.digest === shown.digest && own.count === shown.count;

/**
 * What to do about a head whose signature holds.
 *
 * | the head shows                              | then                              |
 * |---|---|
 * | another cluster, a lower epoch or revision  | refuse: the manager went back     |
 * | the same revision, the same digest          | ignore                            |
 * | the same revision, another digest           | pull a snapshot                   |
 * | a higher revision or epoch, the same digest | move the revision; dial nothing   |
 * | `since` is the own revision, with changes   | apply them                        |
 * | anything else                               | pull from the own revision        |
 */
export function decideHead(cluster: string, own: Stand | null, head: Head): HeadDecision {
  const stand = own ?? { ...NOTHING, epoch: head.epoch };
  const reason = wentBack(cluster, stand, head);
  if (reason) return { act: 'refuse', code: 'manager-went-back', reason };
  if (own && own.epoch === head.epoch && own.rev === head.rev)
    return sameContent(own, head) ? { act: 'ignore' } : { act: 'pull', epoch: 0, since: 0 };
  if (sameContent(stand, head)) return { act: 'apply', changes: [] };
  if (head.changes && stand.epoch === head.epoch && stand.rev === head.since)
    return { act: 'apply', changes: head.changes };
  return { act: 'pull', epoch: stand.epoch, since: stand.rev };
}

export type ChangesDecision =
  | { act: 'apply'; snapshot: boolean }
  | { act: 'snapshot' }
  | { act: 'refuse'; code: ErrorCode; reason: string };

/** What to do about the answer to a pull whose signature holds. A delta that starts elsewhere is in doubt: snapshot. */
export function decideChanges(cluster: string, own: Stand | null, answer: Changes): ChangesDecision {
  const stand = own ?? { ...NOTHING, epoch: answer.epoch };
  const reason = wentBack(cluster, stand, answer);
  if (reason) return { act: 'refuse', code: 'manager-went-back', reason };
  if (answer.since === null) return { act: 'apply', snapshot: true };
  return answer.since === stand.rev ? { act: 'apply', snapshot: false } : { act: 'snapshot' };
}

/** How many of a kind a node has, and how many a snapshot would take away. */
export interface Shrinkage {
  had: number;
  removed: number;
}

const MOST_REMOVED = 5;
const LARGEST_PART = 1 / 5;

/**
 * The kinds of which a snapshot would remove more than a fifth and more than five, though no operator allowed it.
 * An allowance holds for nodes that stand at or before it.
 */
export function shrinksTooMuch(
  own: Stand | null,
  kinds: Record<string, Shrinkage>,
  shrink: { epoch: number; rev: number } | undefined,
): string[] {
  if (shrink && (own === null || isCovered(own, shrink))) return [];
  return Object.entries(kinds)
    .filter(([, { had, removed }]) => removed > MOST_REMOVED && removed > had * LARGEST_PART)
    .map(([kind]) => kind);
}

const isCovered = (own: Stand, shrink: { epoch: number; rev: number }) =>
  own.epoch < shrink.epoch || (own.epoch === shrink.epoch && own.rev <= shrink.rev);
