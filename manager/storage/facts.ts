/** Facts: which nodes mount a storage, and whether each of them has it as it is declared now. Pure. */
import { operatorWord } from '../../common/health/operator.ts';
import { mountsStorages, policiesOf, SERVER_ROLE } from '../../common/policies.ts';
import type { Stored, View } from '../../common/view.ts';
import type { CheckReport, StorageReport, UnitReport } from '../../protocol/messages.ts';
import type { mountStates } from '../../protocol/storage.ts';

/** What a node has said of itself, as far as it matters here. */
export interface Said {
  fresh: boolean;
  units: ReadonlyMap<string, Pick<UnitReport, 'result' | 'scopes' | 'error'>>;
  checks: ReadonlyMap<string, Pick<CheckReport, 'unit' | 'check' | 'state' | 'detail'>>;
  storages: ReadonlyMap<string, StorageReport>;
}

export interface Mount {
  node: string;
  state: (typeof mountStates)[number];
  why: string;
}

export interface Seen {
  view: Pick<View, 'Node' | 'Policy' | 'Cluster'>;
  /** The epoch of the store: what was done in an earlier one does not count. */
  epoch: number;
  of(node: string): Readonly<Said> | undefined;
  /** Milliseconds since the epoch. */
  now: number;
}

type Policy = Stored<'Policy'>;

/** Every node that mounts storages, and how it stands to this one. */
export function mountsOf(storage: Pick<Stored<'Storage'>, 'revision'>, seen: Seen): Mount[] {
  const { Node, Policy, Cluster } = seen.view;
  return [...Node.values()].flatMap((node): Mount[] => {
    const policies = policiesOf(Policy.values(), node.spec, Cluster.get('cluster')).filter(mountsStorages);
    if (policies.length === 0) return [];
    const said = seen.of(node.name);
    // One that is heard does its part, and must: it may write.
    const excused = !said?.fresh && operatorWord(node.spec, seen.now).operator === 'maintenance';
    if (excused) return [{ node: node.name, state: 'excused', why: 'in maintenance' }];
    if (!said?.fresh) return [{ node: node.name, state: 'away', why: 'it is not heard' }];
    const lacks = policies.flatMap((policy) => lacksOf(policy, storage.revision, said, seen.epoch));
    return [{ node: node.name, state: lacks.length === 0 ? 'ready' : 'waiting', why: lacks.join('; ') }];
  });
}

/** What the node that serves a storage lacks until it has exported it as it is declared now; null where no node serves it. */
export function servesNot({ spec, revision }: Stored<'Storage'>, seen: Seen): string | null {
  const { Node, Policy, Cluster } = seen.view;
  const node = typeof spec.server === 'string' ? undefined : Node.get(spec.server.node);
  if (!node) return null;
  const said = seen.of(node.name);
  if (!said?.fresh) return `${node.name}, which serves it: it is not heard`;
  const lacks = policiesOf(Policy.values(), node.spec, Cluster.get('cluster'))
    .filter(({ spec: { role } }) => role === SERVER_ROLE)
    .flatMap((policy) => lacksOf(policy, revision, said, seen.epoch));
  return lacks.length === 0 ? null : `${node.name}, which serves it: ${lacks.join('; ')}`;
}

const wellEnded = new Set(['unchanged', 'changed', 'corrected']);

/** What is missing until a unit has done what was declared at a revision: a pass that has seen it and ended well. */
function lacksOf({ name, spec }: Policy, revision: number, said: Readonly<Said>, epoch: number): string[] {
  const stand = said.units.get(name);
  if (!stand) return [`${name} has told nothing yet`];
  const seen = stand.scopes[`role/${spec.role}`];
  const { result, error } = stand;
  const because = error ? `: ${error.message}` : '';
  if (!wellEnded.has(result)) return [`${name} ${result}${because}`];
  if (seen?.epoch !== epoch || seen.rev < revision) return [`${name} has not looked at it yet`];
  return [...said.checks.values()]
    .filter(({ unit, state }) => unit === name && state === 'down')
    .map(({ check, detail }) => `${name}/${check} is down: ${detail}`);
}
