/** What only an admin may declare: whatever decides what runs as root on nodes, and who a node is. Pure. */
import { sha256 } from '../../../common/digest.ts';
import type { Edit } from '../../../common/rules.ts';
import type { View } from '../../../common/view.ts';
import type { Problem } from '../../../protocol/errors.ts';
import { canonical, keyOf, type Resource } from '../../../protocol/resource.ts';
import type { NodeSpec } from '../../../protocol/resources/node.ts';
import type { Caller } from '../given.ts';

/** The fields of a Node that are an operator's word; the others say who it is, where it is, and as whom its daemons run. */
const operatorsOwn = new Set<keyof NodeSpec>(['mode', 'hold', 'drain', 'maintenance', 'weight']);

/** One problem for each edit that is beyond the caller. What changes nothing is nobody's matter. */
export function forbiddenEdits(edits: readonly Edit[], { name, role }: Caller, view: View): Problem[] {
  if (role === 'admin') return [];
  return edits.flatMap((edit) => {
    const what = adminsMatter(edit, view);
    if (what === undefined) return [];
    return [
      {
        code: 'forbidden' as const,
        path: edit.where,
        message: `${what} is for admins; the token ${name} has the role ${role}`,
        fix: 'use a token with the role admin',
      },
    ];
  });
}

function adminsMatter(edit: Edit, view: View): string | undefined {
  if (edit.op === 'delete') {
    const admins = ['Policy', 'Template', 'Cluster', 'Node', 'Action'].includes(edit.kind);
    const ran = edit.kind === 'Schedule' ? adminsAction(edit.name, view) : undefined;
    if (ran !== undefined) return `deleting ${keyOf(edit)}, which runs ${ran},`;
    return admins ? `deleting ${keyOf(edit)}` : undefined;
  }
  const { resource } = edit;
  switch (resource.kind) {
    case 'Node':
      return ofNode(resource.name, resource.spec, view.Node.get(resource.name)?.spec);
    case 'Policy':
    case 'Template':
    case 'Cluster':
    case 'Action':
      return isSame(resource, view[resource.kind].get(resource.name))
        ? undefined
        : `writing ${keyOf(resource)}`;
    case 'Schedule': {
      if (isSame(resource, view.Schedule.get(resource.name))) return undefined;
      const ran = adminsAction(resource.name, view, resource.spec.action);
      return ran === undefined ? undefined : `a schedule for ${ran}`;
    }
    default:
      return undefined;
  }
}

/** Who may not run an action may not have it run by the calendar, nor end that. */
const adminsAction = (schedule: string, { Schedule, Action }: View, wanted?: string): string | undefined =>
  [wanted, Schedule.get(schedule)?.spec.action].find(
    (action) => action !== undefined && Action.get(action)?.spec.access === 'admin',
  );

const isSame = ({ spec }: Resource, known: { digest: string } | undefined): boolean =>
  known?.digest === sha256(canonical(spec));

function ofNode(name: string, spec: NodeSpec, known: NodeSpec | undefined): string | undefined {
  if (!known) return `making the Node ${name}`;
  const fields = new Set([...Object.keys(spec), ...Object.keys(known)]) as Set<keyof NodeSpec>;
  const changed = [...fields].filter(
    (field) => !operatorsOwn.has(field) && canonical(spec[field] ?? null) !== canonical(known[field] ?? null),
  );
  return changed.length > 0 ? `changing ${changed.join(', ')} of the Node ${name}` : undefined;
}
