/** Membership: who is in a pool, by guards that keep a site up. Pure, so that manager and director decide alike; the truth table is docs/health.md. */
import type { Verdict } from './judge.ts';
import { factorOf, weightOf } from './ramp.ts';

export interface PoolRules {
  /** Reports never bring the pool below this; nor, whatever it is, below one. */
  minMembers: number;
  /** Milliseconds in which a member that came back grows to its full weight; 0 is at once. */
  slowStart: number;
}

export interface Candidate {
  node: string;
  /** Its declared share; 0 keeps it in the pool without new connections. */
  weight: number;
  operator: 'none' | 'drain' | 'maintenance';
  /** Milliseconds until a drain ends in removal; absent is no deadline. */
  drainLeft?: number;
  /** What the director's own probe through the data path says. */
  probe: Verdict;
  /** What reports say of it. */
  opinion: 'up' | 'down' | 'none';
  /** Whether the opinion is young enough to count. */
  fresh: boolean;
  /** Connections it still holds; null where the balancer does not show the drain yet, so that nothing can be said. */
  connections: number | null;
  /** Milliseconds since it came in; absent is long ago. */
  upFor?: number;
  /** Milliseconds for which it is held down still, because it flapped; absent is none. */
  holdLeft?: number;
}

export interface Flags {
  /** Reports do not count just now: the manager has just started, lost its network, or too many failed at once. */
  probesOnly: boolean;
  /** The pool served, lost everybody, and has not grown back to full weight since. */
  returning?: boolean;
}

export type Reason =
  | 'well'
  | 'no-opinion'
  | 'reports-set-aside'
  | 'kept-for-the-pool'
  | 'report-failed'
  | 'held-down'
  | 'probe-failed'
  | 'draining'
  | 'drained'
  | 'drain-deadline'
  | 'maintenance';

export type Warning = 'nobody-left' | 'operator-took-the-last' | 'kept-despite-reports' | 'reports-set-aside';

export interface Decision {
  node: string;
  state: 'up' | 'drain' | 'down';
  /** What the balancer is to give it: the declared weight, less while slow start lasts; 0 unless up. */
  weight: number;
  /** From a tenth to 1, how far slow start has brought it; 0 unless up. */
  factor: number;
  reasons: Reason[];
}

export interface Membership {
  /** By node name. */
  members: Decision[];
  /** Nobody takes new connections: the fallback serves. */
  fallback: boolean;
  /**
   * From 0 to 1, where the balancer can give it a share: what the fallback should get of the new connections, and while
   * it is alone, what it should keep of them once the first member is back.
   */
  fallbackShare: number;
  warnings: Warning[];
}

/** Decides a pool. The order of the members does not matter. */
export function membership(rules: PoolRules, members: readonly Candidate[], flags: Flags): Membership {
  const kept = keptForThePool(rules, members, flags);
  const decided = members
    .map((member) => decide(member, rules, flags, kept))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  const furthest = Math.max(0, ...decided.filter(({ weight }) => weight > 0).map(({ factor }) => factor));
  const fallback = furthest === 0;
  return {
    members: decided.map((one) => ({ ...one, weight: weightOf(one.weight, one.factor, furthest) })),
    fallback,
    fallbackShare:
      fallback || flags.returning
        ? fallbackShareOf(members, fallback ? factorOf(0, rules.slowStart) : furthest)
        : 0,
    warnings: warningsOf(members, decided, fallback, flags),
  };
}

/**
 * A weight limits nobody who is alone. So while a pool comes back from nobody, the fallback keeps what slow start does
 * not give yet; unless there is only one who could ever serve, whom that would spare nothing.
 */
function fallbackShareOf(members: readonly Candidate[], furthest: number): number {
  const expected = members.filter(({ operator, weight }) => operator === 'none' && weight > 0);
  return expected.length > 1 ? 1 - furthest : 0;
}

/** What becomes of one; its weight is the declared one as yet. */

function decide(member: Candidate, rules: PoolRules, flags: Flags, kept: Set<string>): Decision {
  const { node, operator } = member;
  const out = (reason: Reason): Decision => ({
    node,
    state: 'down',
    weight: 0,
    factor: 0,
    reasons: [reason],
  });
  if (operator === 'maintenance') return out('maintenance');
  if (member.probe === 'down') return out('probe-failed');
  if (operator === 'drain') return drain(member, out);
  if (doubted(member, flags) && !kept.has(node)) return out(doubtOf(member, flags));
  const factor = factorOf(member.upFor, rules.slowStart);
  return { node, state: 'up', weight: member.weight, factor, reasons: [reasonToStay(member, flags, kept)] };
}

/** Weight 0 first; removal when the connections are gone or the deadline has passed. */
function drain(member: Candidate, out: (reason: Reason) => Decision): Decision {
  if (member.connections === 0) return out('drained');
  if (member.drainLeft !== undefined && member.drainLeft <= 0) return out('drain-deadline');
  return { node: member.node, state: 'drain', weight: 0, factor: 0, reasons: ['draining'] };
}

const failedByReport = (member: Candidate): boolean => member.fresh && member.opinion === 'down';

const heldDown = (member: Candidate): boolean => (member.holdLeft ?? 0) > 0;

/** Something other than the probe and the operator speaks against it. */
const doubted = (member: Candidate, flags: Flags): boolean =>
  heldDown(member) || (failedByReport(member) && !flags.probesOnly);

const doubtOf = (member: Candidate, flags: Flags): Reason =>
  failedByReport(member) && !flags.probesOnly ? 'report-failed' : 'held-down';

/** The doubted members that must stay so that doubt alone brings no pool below its floor. */
function keptForThePool(rules: PoolRules, members: readonly Candidate[], flags: Flags): Set<string> {
  const able = members.filter(
    ({ operator, probe, weight }) => operator === 'none' && probe !== 'down' && weight > 0,
  );
  const doubtful = able.filter((member) => doubted(member, flags)).sort(likelierFirst);
  const sound = able.length - doubtful.length;
  const missing = Math.max(0, Math.max(1, rules.minMembers) - sound);
  return new Set(doubtful.slice(0, missing).map(({ node }) => node));
}

/** Whom to keep when some must be kept: a passing probe, then the heavier one, then by name. */
function likelierFirst(a: Candidate, b: Candidate): number {
  const probed = Number(b.probe === 'up') - Number(a.probe === 'up');
  return probed || b.weight - a.weight || (a.node < b.node ? -1 : 1);
}

function reasonToStay(member: Candidate, flags: Flags, kept: Set<string>): Reason {
  if (kept.has(member.node)) return 'kept-for-the-pool';
  if (failedByReport(member) && flags.probesOnly) return 'reports-set-aside';
  return member.fresh && member.opinion === 'up' ? 'well' : 'no-opinion';
}

function warningsOf(
  members: readonly Candidate[],
  decisions: Decision[],
  fallback: boolean,
  flags: Flags,
): Warning[] {
  const reasons = new Set(decisions.flatMap((decision) => decision.reasons));
  const wouldServe = members.some(
    ({ operator, probe, weight }) => operator !== 'none' && probe !== 'down' && weight > 0,
  );
  const found: [Warning, boolean][] = [
    ['nobody-left', fallback],
    ['operator-took-the-last', fallback && wouldServe],
    ['kept-despite-reports', reasons.has('kept-for-the-pool')],
    ['reports-set-aside', flags.probesOnly && reasons.has('reports-set-aside')],
  ];
  return found.filter(([, holds]) => holds).map(([warning]) => warning);
}
