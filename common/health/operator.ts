/** The operator's word about a node: what was declared of it and still holds at a moment. Manager and director read it alike. */
import type { NodeSpec } from '../../protocol/resources/node.ts';

export interface OperatorWord {
  operator: 'none' | 'drain' | 'maintenance';
  /** Milliseconds until a drain ends in removal; absent is no deadline. */
  drainLeft?: number;
  /** Who said so and why, for people. */
  because: string;
}

/** @param now milliseconds since the epoch: deadlines are declared as moments */
export function operatorWord(
  { drain, maintenance }: Pick<NodeSpec, 'drain' | 'maintenance'>,
  now: number,
): OperatorWord {
  const over = maintenance?.until !== undefined && Date.parse(maintenance.until) <= now;
  if (maintenance && !over)
    return { operator: 'maintenance', because: because('maintenance', maintenance, maintenance.until) };
  if (!drain) return { operator: 'none', because: '' };
  const said = { operator: 'drain' as const, because: because('drain', drain, drain.deadline) };
  if (drain.deadline === undefined) return said;
  return { ...said, drainLeft: Math.max(0, Date.parse(drain.deadline) - now) };
}

const because = (
  word: string,
  { owner, reason }: { owner: string; reason: string },
  until?: string,
): string =>
  `${word} by ${owner}${until === undefined ? '' : ` until ${until}`}${reason === '' ? '' : `: ${reason}`}`;
