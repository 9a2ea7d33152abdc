/** The fleet: nodes that are alike, and the units that a change can touch on them. Pure. */
import { holdsIn } from '../../../common/policies.ts';
import type { Table } from '../../../common/view.ts';
import { canonical, type Kind, type ResourceOf } from '../../../protocol/resource.ts';
import { reachedFrom } from '../../desired/partials.ts';
import type { Changed, Declared } from './proposed.ts';

type Node = ResourceOf<'Node'>;
type Policy = ResourceOf<'Policy'>;

/** Nodes whose files differ by nothing but their own names, addresses and folders: one stands for all. */
export interface Alike {
  node: Node;
  names: string[];
}

/** @param before tells nodes apart whose past differs, so that one diff holds for all of a group */
export function alikeOf(nodes: Iterable<Node>, before?: Table<Node>): Alike[] {
  const groups = new Map<string, Alike>();
  for (const node of nodes) {
    const key = `${kindOf(node)} ${kindOf(before?.get(node.name))}`;
    const group = groups.get(key);
    if (group) group.names.push(node.name);
    else groups.set(key, { node, names: [node.name] });
  }
  return [...groups.values()];
}

const kindOf = (node: Node | undefined): string =>
  node ? canonical([[...node.spec.roles].sort(), node.spec.parameters]) : '';

/** How much of a unit a change can touch: whole where all that it renders depends on it, else what changed. */
export interface Touched {
  policy: Policy;
  whole: boolean;
}

export function touchedUnits(changes: readonly Changed[], after: Declared): Touched[] {
  const names = (kind: Kind) => new Set(changes.filter((one) => one.kind === kind).map(({ name }) => name));
  const kinds = new Set(changes.map(({ kind }) => kind));
  const [policies, templates, nodes] = [names('Policy'), names('Template'), names('Node')];
  const roles = new Set([...nodes].flatMap((name) => after.of('Node').get(name)?.spec.roles ?? []));
  const cluster = after.of('Cluster').get('cluster');
  return [...after.of('Policy').values()].flatMap((policy) => {
    if (!holdsIn(cluster, policy)) return [];
    const { role, inputs } = policy.spec;
    const whole =
      kinds.has('Cluster') ||
      policies.has(policy.name) ||
      roles.has(role) ||
      (templates.size > 0 && reaches(policy, templates, after.of('Template')));
    const takes = Object.values(inputs).some(({ kind }) => kinds.has(kind));
    return whole || takes ? [{ policy, whole }] : [];
  });
}

const reaches = ({ spec }: Policy, names: Set<string>, templates: Table<ResourceOf<'Template'>>): boolean =>
  [
    ...reachedFrom(
      spec.files.map(({ template }) => template),
      templates,
    ),
  ].some((name) => names.has(name));
