/**
 * The opinion: what a node's reports say of one of its services. One failed service leaves only its own pool. The
 * manager judges by it what nodes said, and each node what it answers when it is asked itself.
 */

import type { CheckReport, PoolMember, UnitReport } from '../../protocol/messages.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import { checksBehind, isUnitBehind } from '../policies.ts';

export interface Opinion {
  opinion: PoolMember['opinion'];
  reasons: string[];
}

export interface OpinionInputs {
  /** Those that the pool depends on, as `policiesBehind` finds them. */
  policies: readonly { name: string; spec: PolicySpec }[];
  check: string;
  /** Whether the node was heard of late; silence is no opinion. */
  fresh: boolean;
  /** It came back with an older state than was declared by then, and has not caught up. */
  catchingUp: boolean;
  /** How each unit ended last. */
  units: ReadonlyMap<string, Pick<UnitReport, 'result' | 'error'>>;
  /** By `unit/check`. */
  checks: ReadonlyMap<string, Pick<CheckReport, 'state' | 'detail'>>;
}

/** A unit that holds single items back serves everything else, and stays in. */
const brokenResults = new Set<UnitReport['result']>(['failed', 'rolledBack']);

export function opinionOf({ policies, check, fresh, catchingUp, units, checks }: OpinionInputs): Opinion {
  if (!fresh) return { opinion: 'none', reasons: ['not heard'] };
  const checked = policies.flatMap((policy) =>
    checksBehind(policy.spec, check).flatMap((name) => placesOf(policy, name, checks)),
  );
  const against = [
    ...checked.flatMap(({ place, state, detail }) =>
      state === 'down' ? [`${place} is down: ${detail ?? ''}`] : [],
    ),
    ...policies.flatMap(({ name, spec }) => {
      const stand = isUnitBehind(spec, check) ? units.get(name) : undefined;
      if (stand === undefined || !brokenResults.has(stand.result)) return [];
      return [`${name} ${stand.result}${stand.error ? `: ${stand.error.message}` : ''}`];
    }),
    ...(catchingUp ? ['has not caught up with what is declared'] : []),
  ];
  if (against.length > 0) return { opinion: 'down', reasons: against.map(shorten) };
  if (checked.length > 0 && checked.every(({ state }) => state === 'up'))
    return { opinion: 'up', reasons: [] };
  return { opinion: 'none', reasons: [`${check} has no verdict yet`] };
}

/** A check for each item of an input is known by what is told of it: there may be none. */
function placesOf(
  { name: unit, spec }: OpinionInputs['policies'][number],
  name: string,
  checks: OpinionInputs['checks'],
): { place: string; state?: CheckReport['state']; detail?: string }[] {
  const place = `${unit}/${name}`;
  if (spec.checks.find((one) => one.name === name)?.for === undefined)
    return [{ place, ...checks.get(place) }];
  return [...checks]
    .filter(([key, { state }]) => key.startsWith(`${place}.`) && state !== 'unknown')
    .map(([key, judged]) => ({ place: key, ...judged }));
}

const shorten = (reason: string): string => reason.slice(0, 300);
