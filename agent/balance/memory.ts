/**
 * Memory: what a director remembers of the members of a pool between two looks, for slow start and hold-down. Pure.
 *
 *   It is lost with the agent, which then holds nobody and starts nobody slowly: who is in has long been in.
 *   Who is out at the first look, or not known to the balancer yet, starts slowly when it comes in.
 */
import { type Falls, fallsAfter, type HoldDown, holdLeft, type Stand } from '../../common/health/flaps.ts';
import type { Candidate, Membership } from '../../common/health/membership.ts';
import type { ActualMember } from './readback.ts';

export interface MemberMemory {
  falls: Falls;
  /** When it came in, in monotonic time; null while it is not in. */
  inSince: number | null;
}

export interface PoolMemory {
  members: ReadonlyMap<string, MemberMemory>;
  /** `emptied` from the loss of the last member until one is back at its full weight; a pool that never served is `new`. */
  phase: 'new' | 'serving' | 'emptied';
}

export const nothingKnown: PoolMemory = { members: new Map(), phase: 'new' };

/** How a member stands now, with what is remembered of it. */
export function remember(
  before: MemberMemory | undefined,
  stand: Stand,
  actual: ActualMember | undefined,
  rules: HoldDown,
  now: number,
): MemberMemory {
  const falls = fallsAfter(before?.falls, stand, rules, now);
  return { falls, inSince: before ? before.inSince : actual?.admin === 'ready' ? LONG_AGO : null };
}

/** What membership is told of it: one that is not in would begin its slow start now. */
export const recalled = (
  { falls, inSince }: MemberMemory,
  rules: HoldDown,
  now: number,
): Required<Pick<Candidate, 'upFor' | 'holdLeft'>> => ({
  upFor: inSince === null ? 0 : now - inSince,
  holdLeft: holdLeft(falls, rules, now),
});

/** The memory after a decision: who came in, who is out or not known to the balancer, and whether anybody is left. */
export function memoryAfter(
  phase: PoolMemory['phase'],
  members: ReadonlyMap<string, MemberMemory>,
  decided: Membership,
  actual: ReadonlyMap<string, ActualMember>,
  now: number,
): PoolMemory {
  const up = new Set(decided.members.filter(({ state }) => state === 'up').map(({ node }) => node));
  const isIn = (node: string) => up.has(node) && (actual.get(node)?.admin ?? null) !== null;
  const next = [...members].map(([node, { falls, inSince }]): [string, MemberMemory] => [
    node,
    { falls, inSince: isIn(node) ? (inSince ?? now) : null },
  ]);
  return { members: new Map(next), phase: phaseAfter(phase, decided) };
}

function phaseAfter(phase: PoolMemory['phase'], { fallback, members }: Membership): PoolMemory['phase'] {
  if (fallback) return phase === 'new' ? 'new' : 'emptied';
  const grown = members.some(({ weight, factor }) => weight > 0 && factor === 1);
  return phase === 'emptied' && !grown ? 'emptied' : 'serving';
}

const LONG_AGO = Number.NEGATIVE_INFINITY;
