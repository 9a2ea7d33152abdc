/** The mode: how far a pass may go, by what the operator says of the node and of the policy; the stricter word wins. */
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';

export type Mode = 'enforce' | 'audit' | 'hold';

export interface Allowed {
  mode: Mode;
  /** Who says so, for people. */
  why: string;
  /** Milliseconds until a hold ends by itself. */
  left?: number;
}

type NodeWord = Pick<NodeSpec, 'mode' | 'hold'>;
type PolicyWord = Pick<PolicySpec, 'mode'>;

/**
 * @param now milliseconds since the epoch
 * @param rootHold what root of the box itself has said
 */
export function allowed(
  node: NodeWord,
  policy: PolicyWord,
  now: number,
  rootHold: { reason: string } | null = null,
): Allowed {
  if (rootHold)
    return { mode: 'hold', why: `on hold by root of the box${rootHold.reason && `: ${rootHold.reason}`}` };
  const { hold } = node;
  const left = hold?.until === undefined ? undefined : Date.parse(hold.until) - now;
  if (hold && (left === undefined || left > 0)) {
    const why = `node on hold by ${hold.owner}${hold.reason === '' ? '' : `: ${hold.reason}`}`;
    return { mode: 'hold', why, ...(left === undefined ? {} : { left }) };
  }
  if (policy.mode === 'hold') return { mode: 'hold', why: 'policy on hold' };
  if (node.mode === 'audit') return { mode: 'audit', why: 'node is audited' };
  return { mode: policy.mode, why: policy.mode === 'audit' ? 'policy is audited' : '' };
}
