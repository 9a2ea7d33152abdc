/** Judging a pool: what membership says of it as the manager sees it, and whether reports count at all just now. Pure. */
import { type MassFailure, massFailure } from '../../common/health/mass.ts';
import { type Candidate, type Membership, membership } from '../../common/health/membership.ts';
import { milliseconds } from '../../common/units.ts';
import type { PoolMember } from '../../protocol/messages.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';
import type { DirectorReport } from './compose.ts';

export interface PoolVerdict {
  mass: MassFailure;
  probesOnly: boolean;
  /** What the directors will make of it, as far as the manager can tell from their reports. */
  membership: Membership;
}

export interface JudgeInputs {
  pool: VirtualServiceSpec['pool'];
  members: readonly PoolMember[];
  reports: readonly DirectorReport[];
  before: MassFailure;
  /** The manager has just started, or has lost its own network. */
  blind: boolean;
  /** In monotonic time. */
  tick: number;
}

export function judgePool({ pool, members, reports, before, blind, tick }: JudgeInputs): PoolVerdict {
  const open = members.filter(({ operator }) => operator === 'none');
  const fallen = open.filter(({ opinion }) => opinion === 'down').map(({ node }) => node);
  const mass = massFailure(before, fallen, open.length, tick);
  const probesOnly = blind || mass.tripped;
  const rules = { minMembers: pool.minMembers, slowStart: milliseconds(pool.slowStart) };
  const candidates = members.map((member) => candidateOf(member, reports));
  return { mass, probesOnly, membership: membership(rules, candidates, { probesOnly }) };
}

function candidateOf(member: PoolMember, reports: readonly DirectorReport[]): Candidate {
  const rows = reports.flatMap(({ report }) => report.members.filter(({ node }) => node === member.node));
  const probes = rows.map(({ probe }) => probe);
  const isOut = rows.length > 0 && rows.every(({ state }) => state === 'drain' || state === 'down');
  return {
    node: member.node,
    weight: member.weight,
    operator: member.operator,
    ...(member.drainLeft === undefined ? {} : { drainLeft: member.drainLeft }),
    // One director that cannot reach it is that director's own affair; the pool as a whole lost it when all say so.
    probe: probes.includes('up')
      ? 'up'
      : probes.length > 0 && probes.every((p) => p === 'down')
        ? 'down'
        : 'unknown',
    opinion: member.opinion,
    fresh: true,
    connections: isOut ? rows.reduce((sum, { connections }) => sum + connections, 0) : null,
  };
}
