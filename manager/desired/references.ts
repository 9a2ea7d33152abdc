/** References: everything that a document names must be there once the request is carried out. Pure. */
import { policiesOf } from '../../common/policies.ts';
import type { Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { type Kind, keyOf } from '../../protocol/resource.ts';
import { includesOf } from './partials.ts';
import { problemAt, type Touched } from './place.ts';

/** One that leads nowhere. */
interface Dangling {
  from: { kind: Kind; name: string };
  /** The field that refers. */
  field: string;
  value: string;
  message: string;
  fix: string;
  /** What would have satisfied it: an edit of one of these broke it, where the referrer itself was not edited. */
  wanted: (kind: Kind, name: string, before: View) => boolean;
}

export function referenceProblems({ before, after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Policy', 'Template', 'VirtualService', 'Cluster', 'Action', 'Schedule')) return [];
  const dangling = [
    ...[...after.Policy.values()].flatMap((policy) => ofPolicy(policy, after)),
    ...[...after.Template.values()].flatMap((template) => ofTemplate(template, after)),
    ...[...after.Action.values()].flatMap((action) => ofAction(action, after)),
    ...[...after.Schedule.values()].flatMap((schedule) => ofSchedule(schedule, after)),
    ...[...after.VirtualService.values()].flatMap((service) => ofService(service, before, after)),
  ];
  return dangling.map((found) => blame(found, before, touched));
}

/** The document that refers is blamed when it is in the request, else the one that took away what it refers to. */
function blame(
  { from, field, value, message, fix, wanted }: Dangling,
  before: View,
  touched: Touched,
): Problem {
  const own = touched.of(from.kind, from.name);
  if (own) return problemAt(own, field, { code: 'dangling-reference', value, message, fix });
  const culprit = touched.edits.find((edit) =>
    edit.op === 'put'
      ? wanted(edit.resource.kind, edit.resource.name, before)
      : wanted(edit.kind, edit.name, before),
  );
  return problemAt(culprit, '', {
    code: 'still-referenced',
    value,
    message: `${keyOf(from)} needs it at ${field}: ${message}`,
    fix: `change ${keyOf(from)} in the same request`,
  });
}

const templateNamed = (wanted: string) => (kind: Kind, name: string) =>
  kind === 'Template' && name === wanted;

function ofPolicy({ kind, name, spec }: Stored<'Policy'>, after: View): Dangling[] {
  return spec.files.flatMap(({ template, for: input }, at): Dangling[] => {
    const from = { kind, name };
    const found: Dangling[] = [];
    if (!after.Template.has(template))
      found.push({
        from,
        field: `spec/files/${at}/template`,
        value: template,
        message: `there is no template ${template}`,
        fix: 'apply the template in the same request',
        wanted: templateNamed(template),
      });
    if (input !== undefined && !Object.hasOwn(spec.inputs, input))
      found.push({
        from,
        field: `spec/files/${at}/for`,
        value: input,
        message: `the policy has no input ${input}`,
        fix: `use one of its inputs: ${Object.keys(spec.inputs).join(', ') || 'there is none'}`,
        wanted: () => false,
      });
    return found;
  });
}

const ofTemplate = ({ kind, name, spec }: Stored<'Template'>, after: View): Dangling[] =>
  includesOf(spec)
    .partials.filter((partial) => !after.Template.has(partial))
    .map((partial) => ({
      from: { kind, name },
      field: 'spec/text',
      value: partial,
      message: `there is no template ${partial} to include`,
      fix: 'apply it in the same request',
      wanted: templateNamed(partial),
    }));

function ofService(service: Stored<'VirtualService'>, before: View, after: View): Dangling[] {
  const { kind, name, spec } = service;
  const { role, check } = spec.pool;
  const from = { kind, name };
  const found: Dangling[] = [];
  if (!hasCheck(after, role, check))
    found.push({
      from,
      field: 'spec/pool/check',
      value: check,
      message: `no policy of role ${role} has a check ${check}`,
      fix: `name a check of a policy of role ${role}; there are: ${checksOf(after, role).join(', ') || 'none'}`,
      wanted: (touched, policy) => touched === 'Policy' && before.Policy.get(policy)?.spec.role === role,
    });
  return [...found, ...weightsOf(service, before, after)];
}

const checksOf = (view: View, role: string) =>
  policiesOf(view.Policy.values(), { roles: [role] }, view.Cluster.get('cluster')).flatMap(({ spec }) =>
    spec.checks.map(({ name }) => name),
  );
const hasCheck = (view: View, role: string, check: string) => checksOf(view, role).includes(check);

/** A weight that stayed behind when its node was removed does no harm: a node can always be removed. */
function weightsOf({ kind, name, spec }: Stored<'VirtualService'>, before: View, after: View): Dangling[] {
  const old = before.VirtualService.get(name)?.spec.weights ?? {};
  return Object.keys(spec.weights)
    .filter((node) => !after.Node.has(node) && !Object.hasOwn(old, node))
    .map((node) => ({
      from: { kind, name },
      field: `spec/weights/${node}`,
      value: node,
      message: `there is no node ${node}`,
      fix: 'remove it, or let the node join first',
      wanted: () => false,
    }));
}

const noAction = (from: Dangling['from'], field: string, value: string): Dangling => ({
  ...{ from, field, value },
  message: `there is no action ${value}`,
  fix: 'apply it in the same request',
  wanted: (kind, named) => kind === 'Action' && named === value,
});

const ofAction = ({ kind, name, spec: { undo } }: Stored<'Action'>, after: View): Dangling[] =>
  undo === undefined || after.Action.has(undo.action)
    ? []
    : [noAction({ kind, name }, 'spec/undo/action', undo.action)];

const ofSchedule = ({ kind, name, spec: { action } }: Stored<'Schedule'>, after: View): Dangling[] =>
  after.Action.has(action) ? [] : [noAction({ kind, name }, 'spec/action', action)];
