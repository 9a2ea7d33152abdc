/** Parameters: what a node sets must be declared by a policy of its roles, and fit; so must the choice of a policy. Pure. */
import { parameterComplaint, parameterProblems as unfit } from '../../common/render/context.ts';
import type { Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { shown } from '../../protocol/resource.ts';
import { type Put, problemAt, type Touched } from './place.ts';
import { patternComplaint } from './texts.ts';

export function parameterProblems({ before, after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Policy', 'Node')) return [];
  const policies = [
    ...touched.puts('Policy').map(({ resource }) => resource.name),
    ...touched.deletions('Policy').map(({ name }) => name),
  ];
  const roles = new Set(
    policies.flatMap((name) => [before, after].map((view) => view.Policy.get(name)?.spec.role)),
  );
  const ofNodes = [...after.Node.values()]
    .filter(
      (node) =>
        touched.of('Node', node.name) !== undefined || node.spec.roles.some((role) => roles.has(role)),
    )
    .flatMap((node) => ofNode(node, after, touched));
  return [...touched.puts('Policy').flatMap(ofChoice), ...ofNodes];
}

/** A choice that no node can make leaves a policy that holds nowhere. */
const ofChoice = ({ edit, resource: { name: policy, spec } }: Put<'Policy'>): Problem[] =>
  Object.entries(spec.when?.parameters ?? {}).flatMap(([name, value]) => {
    const declared = Object.hasOwn(spec.parameters, name) ? spec.parameters[name] : undefined;
    // A pattern that is none is told of for itself.
    if (patternComplaint(declared?.pattern ?? '') !== undefined) return [];
    const message = declared
      ? parameterComplaint(declared, value)
      : `the policy ${policy} declares no parameter ${name}`;
    if (message === undefined) return [];
    const fix = 'declare the parameter, or let `when` name one that is declared, with a value that fits';
    return [
      problemAt(edit, `spec/when/parameters/${name}`, {
        ...{ code: 'invalid-document', value: shown(value), message, fix },
      }),
    ];
  });

function ofNode(node: Stored<'Node'>, after: View, touched: Touched): Problem[] {
  const names = Object.keys(node.spec.parameters);
  if (names.length === 0) return [];
  const { roles } = node.spec;
  // A parameter of a policy that holds under another balancer may stay, so that the balancer can be changed and changed back.
  const policies = [...after.Policy.values()].filter(({ spec }) => roles.includes(spec.role));
  const declared = new Set(policies.flatMap(({ spec }) => Object.keys(spec.parameters)));
  const own = touched.of('Node', node.name);
  const unknown = names
    .filter((name) => !declared.has(name))
    .map((name) =>
      problemAt(own, `spec/parameters/${name}`, {
        code: 'invalid-document',
        value: shown(node.spec.parameters[name]),
        message: `no policy of the roles of node ${node.name} declares the parameter ${name}`,
        fix: `declared are: ${[...declared].sort().join(', ') || 'none'}`,
      }),
    );
  return [...unknown, ...policies.flatMap((policy) => illTyped(policy, node, touched))];
}

/** Defaults are the policy's own affair; here it is about what the node sets. */
const illTyped = (policy: Stored<'Policy'>, node: Stored<'Node'>, touched: Touched): Problem[] =>
  unfit(policy, node).flatMap(({ path, message, value, fix }) => {
    const name = path.split('/').at(-1) ?? '';
    if (!Object.hasOwn(node.spec.parameters, name)) return [];
    const own = touched.of('Node', node.name);
    return [
      problemAt(own ?? touched.of('Policy', policy.name), `spec/parameters/${name}`, {
        code: 'invalid-document',
        message: `on node ${node.name}: ${message}`,
        ...(value === undefined ? {} : { value }),
        ...(fix === undefined ? {} : { fix }),
      }),
    ];
  });
