/** Composing: the members of one pool as they are to be published, from what is declared and what is observed. Pure. */
import { operatorWord } from '../../common/health/operator.ts';
import { type OpinionInputs, opinionOf } from '../../common/health/opinion.ts';
import { policiesBehind } from '../../common/policies.ts';
import type { Declared } from '../../common/view.ts';
import type { PoolMember, PoolReport } from '../../protocol/messages.ts';
import type { ClusterSpec } from '../../protocol/resources/cluster.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';

/** What is declared, as far as pools need it. */
export interface PoolWorld {
  virtualServices(): readonly Declared<VirtualServiceSpec>[];
  nodes(): readonly Declared<NodeSpec>[];
  policies(): readonly Declared<PolicySpec>[];
  cluster(): Declared<ClusterSpec> | undefined;
}

/** What a node said, as far as pools need it. */
export interface NodeSaid extends Pick<OpinionInputs, 'units' | 'checks' | 'fresh'> {
  /** What its session must still reach. */
  target: readonly unknown[];
}

export interface DirectorReport {
  director: string;
  report: PoolReport;
}

export const eligible = (service: Declared<VirtualServiceSpec>, world: PoolWorld): Declared<NodeSpec>[] =>
  world.nodes().filter(({ spec }) => spec.roles.includes(service.spec.pool.role));

export interface ComposeInputs {
  service: Declared<VirtualServiceSpec>;
  world: PoolWorld;
  said: (node: string) => NodeSaid | undefined;
  /** Milliseconds since the epoch: declared deadlines are read against it. */
  now: number;
}

/** By node name. */
export function compose({ service, world, said, now }: ComposeInputs): PoolMember[] {
  const { role, check } = service.spec.pool;
  const declared = world.policies();
  const cluster = world.cluster();
  return eligible(service, world)
    .map(({ name, spec }): PoolMember => {
      const heard = said(name);
      const opinion = opinionOf({
        policies: policiesBehind({ role, check }, declared, spec, cluster),
        check,
        fresh: heard?.fresh ?? false,
        catchingUp: (heard?.target.length ?? 0) > 0,
        units: heard?.units ?? new Map(),
        checks: heard?.checks ?? new Map(),
      });
      const word = operatorWord(spec, now);
      return {
        node: name,
        address: spec.address,
        weight: service.spec.weights[name] ?? spec.weight,
        opinion: opinion.opinion,
        operator: word.operator,
        ...(word.drainLeft === undefined ? {} : { drainLeft: word.drainLeft }),
        reasons: [...(word.because === '' ? [] : [word.because]), ...opinion.reasons],
      };
    })
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}
