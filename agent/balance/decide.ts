/** Deciding: what a director wants of each member, from what is declared, heard, probed and read back. Pure. */
import type { Verdict } from '../../common/health/judge.ts';
import { type Candidate, type Membership, membership } from '../../common/health/membership.ts';
import { type OperatorWord, operatorWord } from '../../common/health/operator.ts';
import { milliseconds } from '../../common/units.ts';
import type { PoolMember } from '../../protocol/messages.ts';
import type { Said } from './heard.ts';
import { type MemberMemory, memoryAfter, type PoolMemory, recalled, remember } from './memory.ts';
import type { ActualMember } from './readback.ts';
import type { Member, Service } from './targets.ts';

export type Decide = typeof membership;

export interface DecideInputs {
  service: Service;
  members: readonly Member[];
  heard: Said | null;
  probes: ReadonlyMap<string, Verdict>;
  actual: ReadonlyMap<string, ActualMember>;
  memory: PoolMemory;
  /** Milliseconds since the epoch. */
  now: number;
  /** In monotonic time. */
  tick: number;
  decide?: Decide;
}

export interface DecidedPool {
  verdict: Membership;
  /** What is to be remembered at the next look. */
  memory: PoolMemory;
}

export function decidePool({
  service,
  members,
  heard,
  probes,
  actual,
  memory,
  now,
  tick,
  decide = membership,
}: DecideInputs): DecidedPool {
  const { pool } = service.spec;
  const hold = { first: milliseconds(pool.holdDown.first), cap: milliseconds(pool.holdDown.cap) };
  const fresh = heard?.fresh ?? false;
  const probesOnly = fresh && (heard?.state.probesOnly ?? false);
  const known = new Map<string, MemberMemory>();
  const said = new Map(heard && fresh ? heard.state.members.map((member) => [member.node, member]) : []);
  const candidates = members.map((member) => {
    const { name } = member;
    const opinion = said.get(name);
    const stand = {
      ...stricter(operatorWord(member.spec, now), opinion, heard?.age ?? 0),
      probe: probes.get(name) ?? 'unknown',
      opinion: opinion?.opinion ?? 'none',
    };
    const counts = fresh && !probesOnly;
    const remembered = remember(memory.members.get(name), { ...stand, counts }, actual.get(name), hold, tick);
    known.set(name, remembered);
    return {
      node: name,
      weight: service.spec.weights[name] ?? member.spec.weight,
      ...stand,
      fresh,
      connections: connectionsOf(actual.get(name)),
      ...recalled(remembered, hold, tick),
    } satisfies Candidate;
  });
  const rules = { minMembers: pool.minMembers, slowStart: milliseconds(pool.slowStart) };
  const verdict = decide(rules, candidates, { probesOnly, returning: memory.phase === 'emptied' });
  return { verdict, memory: memoryAfter(memory.phase, known, verdict, actual, tick) };
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
