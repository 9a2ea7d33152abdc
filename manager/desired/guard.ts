/** The guard: what is right but too large to do by accident. It says what it counted; an operator may force it. Pure. */
import { operatorWord } from '../../common/health/operator.ts';
import type { Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { type Kind, kindNames } from '../../protocol/resource.ts';
import { directorLosses, storageLosses } from './losses.ts';
import { interestsOf } from './select.ts';

const MOST_REMOVED = 5;
const LARGEST_PART = 1 / 5;
const FORCE = 'if this is what you want, repeat it with --force (by API ?force=true)';

const tooMany = (removed: number, had: number) => removed > MOST_REMOVED && removed > had * LARGEST_PART;

/** @param now milliseconds since the epoch: drains and maintenance are read against it */
export function guard(proposal: Proposal, now: number): Problem[] {
  const kinds = new Set(proposal.edits.map((edit) => (edit.op === 'put' ? edit.resource.kind : edit.kind)));
  const any = (...wanted: Kind[]) => wanted.some((kind) => kinds.has(kind));
  return [
    ...removals(proposal),
    ...(any('Policy') ? withdrawals(proposal) : []),
    ...(any('Storage', 'Node', 'Policy', 'Cluster')
      ? [...storageLosses(proposal), ...directorLosses(proposal)]
      : []),
    ...(any('Node', 'VirtualService')
      ? [...endedServices(proposal, now), ...emptiedPools(proposal, now)]
      : []),
  ];
}

function removals({ before, edits }: Proposal): Problem[] {
  const removed = new Map<Kind, number>();
  for (const edit of edits)
    if (edit.op === 'delete') removed.set(edit.kind, (removed.get(edit.kind) ?? 0) + 1);
  return kindNames.flatMap((kind): Problem[] => {
    const [count, had] = [removed.get(kind) ?? 0, before[kind].size];
    if (!tooMany(count, had)) return [];
    return [
      {
        code: 'too-many-removals',
        path: '',
        value: kind,
        message: `would remove ${count} of ${had} ${kind} resources, more than ${MOST_REMOVED} and more than a fifth`,
        fix: FORCE,
      },
    ];
  });
}

const takenByRoles = ['Site', 'VirtualService', 'Storage'] as const;

/** A policy that no longer takes a kind removes all of it from the nodes of its role, though nothing is deleted. */
function withdrawals({ before, after }: Proposal): Problem[] {
  const [had, has] = [interestsOf(before), interestsOf(after)];
  return takenByRoles.flatMap((kind) =>
    had[kind]
      .filter((role) => !has[kind].includes(role) && tooMany(before[kind].size, before[kind].size))
      .map(
        (role): Problem => ({
          code: 'too-many-removals',
          path: '',
          value: role,
          message: `would take all ${before[kind].size} ${kind} resources from the nodes of role ${role}`,
          fix: FORCE,
        }),
      ),
  );
}

/** A service that somebody serves goes dark with its declaration. */
function endedServices({ before, after }: Proposal, now: number): Problem[] {
  return [...before.VirtualService.values()].flatMap((service): Problem[] => {
    const serving = after.VirtualService.has(service.name) ? 0 : eligible(service, before, now);
    if (serving === 0) return [];
    return [
      {
        code: 'empty-pool',
        path: '',
        value: service.name,
        message: `would end virtual service ${service.name}, which ${serving} ${serving === 1 ? 'node' : 'nodes'} of role ${service.spec.pool.role} serve`,
        fix: FORCE,
      },
    ];
  });
}

/** Only services that had somebody: one that is declared before its nodes is no loss. */
function emptiedPools({ before, after }: Proposal, now: number): Problem[] {
  return [...after.VirtualService.values()].flatMap((service): Problem[] => {
    const was = before.VirtualService.get(service.name);
    const had = was ? eligible(was, before, now) : 0;
    if (had === 0 || eligible(service, after, now) > 0) return [];
    return [
      {
        code: 'empty-pool',
        path: '',
        value: service.name,
        message: `would leave virtual service ${service.name} without any eligible node; now it has ${had} of role ${service.spec.pool.role}`,
        fix: `put another node of role ${service.spec.pool.role} into service first, or force it`,
      },
    ];
  });
}

/** Nodes of the pool's role that no operator has taken out, by a word or by giving them no share. */
function eligible({ spec }: Stored<'VirtualService'>, { Node }: View, now: number): number {
  const takesTraffic = ({ name, spec: node }: Stored<'Node'>) =>
    node.roles.includes(spec.pool.role) &&
    operatorWord(node, now).operator === 'none' &&
    (spec.weights[name] ?? node.weight) > 0;
  return [...Node.values()].filter(takesTraffic).length;
}
