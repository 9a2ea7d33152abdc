/** Standing: which units this box should have, and which it still has from before; nothing while that is not known whole. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { policiesOf } from '../../common/policies.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import { scopesOf } from '../../protocol/topics.ts';
import type { Desired } from '../state/desired.ts';
import { statOf } from '../state/disk.ts';

export type ScopeStands = Record<ScopeName, { epoch: number; rev: number }>;

export interface Standing {
  /** The policies of the node's roles; null while a scope that may hold one has not arrived: then nothing is touched. */
  wanted(): string[] | null;
  /** Whether it is, or was, active on this box, even if its tree was taken away. */
  isActive(unit: string): boolean;
  /** Whether it has to go because the node has lost its role, not because its policy is gone. */
  hasLostRole(unit: string): boolean;
  /** Those that are wanted, and those that have to go. */
  all(): Promise<string[]>;
  /** How far each scope is that the node follows; null while one has not arrived. */
  scopes(): ScopeStands | null;
}

/** How far each scope is that a node follows; null while one has not arrived. */
export function standsOf(desired: Desired, node: string): ScopeStands | null {
  const { roles } = desired.get('Node', node)?.spec ?? { roles: [] };
  const stands: ScopeStands = {};
  for (const scope of scopesOf({ node, roles })) {
    const stand = desired.stand(scope);
    if (stand === null) return null;
    stands[scope] = { epoch: stand.epoch, rev: stand.rev };
  }
  return stands;
}

/** @param folder that of all units */
export function createStanding({
  node,
  desired,
  folder,
}: {
  node: string;
  desired: Desired;
  folder: string;
}): Standing {
  /** The role by which each unit was wanted last. */
  const roles = new Map<string, string>();
  const scopes = () => standsOf(desired, node);
  const wanted = () => {
    const self = desired.get('Node', node);
    if (!self || scopes() === null) return null;
    const cluster = desired.get('Cluster', 'cluster') ?? undefined;
    const policies = policiesOf(desired.list('Policy'), self.spec, cluster);
    for (const { name, spec } of policies) roles.set(name, spec.role);
    return policies.map(({ name }) => name).sort();
  };
  const isActive = (unit: string) => statOf(join(folder, unit, 'current')) !== undefined;
  return {
    scopes,
    wanted,
    isActive,
    hasLostRole: (unit) => {
      const role = roles.get(unit);
      return role !== undefined && desired.get('Node', node)?.spec.roles.includes(role) === false;
    },
    all: async () => {
      const names = wanted();
      if (names === null) return [];
      const entries = await readdir(folder).catch(() => []);
      return [...names, ...entries.filter((name) => !names.includes(name) && isActive(name))];
    },
  };
}
