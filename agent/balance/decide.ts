/** Deciding: what a director wants of each member, from what is declared, heard, probed and read back. Pure. */
import type { Verdict } from '../../common/health/judge.ts';
import { type Candidate, type Membership, membership } from '../../common/health/membership.ts';
import { type OperatorWord, operatorWord } from '../../common/health/operator.ts';
import { milliseconds } from '../../common/units.ts';
import type { PoolMember } from '../../protocol/messages.ts';
import type { HeardState } from './heard.ts';
import type { ActualMember } from './readback.ts';
import type { Member, Service } from './targets.ts';

export type Decide = typeof membership;

export interface DecideInputs {
  service: Service;
  members: readonly Member[];
  heard: HeardState | null;
  probes: ReadonlyMap<string, Verdict>;
  actual: ReadonlyMap<string, ActualMember>;
  /** Milliseconds since the epoch. */
  now: number;
  decide?: Decide;
}

export function decidePool({
  service,
  members,
  heard,
  probes,
  actual,
  now,
  decide = membership,
}: DecideInputs): Membership {
  const { pool } = service.spec;
  const fresh = heard?.fresh ?? false;
  const said = new Map(heard && fresh ? heard.state.members.map((member) => [member.node, member]) : []);
  const candidates = members.map((member) => {
    const opinion = said.get(member.name);
    return {
      node: member.name,
      weight: service.spec.weights[member.name] ?? member.spec.weight,
      ...stricter(operatorWord(member.spec, now), opinion, heard?.age ?? 0),
      probe: probes.get(member.name) ?? 'unknown',
      opinion: opinion?.opinion ?? 'none',
      fresh,
      connections: connectionsOf(actual.get(member.name)),
    } satisfies Candidate;
  });
  const rules = { minMembers: pool.minMembers, slowStart: milliseconds(pool.slowStart) };
  return decide(rules, candidates, { probesOnly: fresh && (heard?.state.probesOnly ?? false) });
}

const strictness = { none: 0, drain: 1, maintenance: 2 } as const;

/**
 * The operator's word reaches a director twice: as declared state, which does not lapse, and in the pool state.
 * The stricter holds, so that the faster of the two begins a drain; a countdown that was sent goes by our own clock.
 */
function stricter(
  declared: OperatorWord,
  said: PoolMember | undefined,
  age: number,
): Pick<Candidate, 'operator' | 'drainLeft'> {
  const operator =
    strictness[said?.operator ?? 'none'] > strictness[declared.operator] ? said?.operator : undefined;
  const left = said?.drainLeft === undefined ? declared.drainLeft : said.drainLeft - age;
  return { operator: operator ?? declared.operator, ...(left === undefined ? {} : { drainLeft: left }) };
}

/** Until the balancer shows the drain, connections still come, and their number says nothing. */
const connectionsOf = (actual: ActualMember | undefined): number | null =>
  actual?.admin === 'drain' || actual?.admin === 'maint' ? actual.connections : null;
