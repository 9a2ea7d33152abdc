/** What a node answers when it is asked whether one of its services may take traffic. Pure: from memory, never from a look at the box. */

import { operatorWord } from '../../common/health/operator.ts';
import { type OpinionInputs, opinionOf } from '../../common/health/opinion.ts';
import { policiesBehind } from '../../common/policies.ts';
import type { Declared } from '../../common/view.ts';
import type { ClusterSpec } from '../../protocol/resources/cluster.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';

/** What is known on the box at this moment. */
export interface Known {
  /** Undefined while nothing is declared of it. */
  node: Declared<NodeSpec> | undefined;
  cluster: Declared<ClusterSpec> | undefined;
  services: readonly Declared<VirtualServiceSpec>[];
  policies: readonly Declared<PolicySpec>[];
  /** How each unit ended last. */
  units: OpinionInputs['units'];
  /** By `unit/check`, as judged. */
  checks: OpinionInputs['checks'];
}

export interface Question {
  /** A virtual service, or a check. */
  name: string;
  /** The role whose policies are meant: then the name is that of a check. */
  role: string | undefined;
}

export interface Word {
  status: 200 | 404 | 503;
  /** One line for people: no words of daemons, no paths, no versions. */
  line: string;
}

const LONGEST = 300;
const unwell = (line: string): Word => ({ status: 503, line: line.slice(0, LONGEST) });

/**
 * The first row that fits decides.
 *
 * | the node                                                        | answer               |
 * |---|---|
 * | has nothing declared of it                                      | 503                  |
 * | has no such service or check in its roles                       | 404                  |
 * | is in maintenance, or drains                                    | 503, with that word  |
 * | is of the opinion that it cannot serve, by the manager's rule   | 503, with the reason |
 * | otherwise                                                       | 200                  |
 */
export function answerOf(question: Question, known: Known, now: number): Word {
  const { node } = known;
  if (node === undefined) return unwell('nothing is declared of this node');
  const pools = meant(question, known, node.spec.roles);
  if (pools.length === 0) return { status: 404, line: 'no such service or check on this node' };
  const { operator } = operatorWord(node.spec, now);
  if (operator !== 'none') return unwell(operator === 'drain' ? 'draining' : operator);
  const doubts = new Set(pools.flatMap((pool) => doubtsAbout(pool, known)));
  return doubts.size > 0 ? unwell([...doubts].join('; ')) : { status: 200, line: 'up' };
}

type Pool = Pick<VirtualServiceSpec['pool'], 'role' | 'check'>;

/** The pools that a question is about, as far as this node belongs to them. A virtual service goes before a check. */
function meant({ name, role }: Question, known: Known, roles: readonly string[]): Pool[] {
  const service = role === undefined && known.services.find((one) => one.name === name);
  if (service) return roles.includes(service.spec.pool.role) ? [service.spec.pool] : [];
  return roles
    .filter((one) => role === undefined || one === role)
    .map((one) => ({ role: one, check: name }))
    .filter((pool) =>
      behind(pool, known).some(({ spec }) => spec.checks.some((check) => check.name === name)),
    );
}

const behind = (pool: Pool, { policies, cluster, node }: Known) =>
  policiesBehind(pool, policies, node?.spec ?? {}, cluster);

/** Whoever reaches the port reads this: which check and which unit, and nothing of what daemons said. */
function doubtsAbout(pool: Pool, known: Known): string[] {
  const { opinion, reasons } = opinionOf({
    policies: behind(pool, known),
    check: pool.check,
    fresh: true,
    catchingUp: false,
    units: new Map([...known.units].map(([unit, { result }]) => [unit, { result }])),
    checks: new Map([...known.checks].map(([place, { state }]) => [place, { state, detail: '' }])),
  });
  return opinion === 'down' ? reasons.map((reason) => reason.replace(/: $/, '')) : [];
}
