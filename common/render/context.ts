/** What templates and expressions may name: the node's part, and the whole of a unit. */
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { type ResourceOf, shown } from '../../protocol/resource.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import type { Context, NodeContext, RenderedFile, UnitInputs } from './rendered.ts';

type Policy = ResourceOf<'Policy'>;
type Node = ResourceOf<'Node'>;
type Cluster = ResourceOf<'Cluster'>;
type Parameter = PolicySpec['parameters'][string];
type Value = string | number | boolean;

/** What is wrong with the parameters that a node sets for a policy, against the policy's declarations. */
export function parameterProblems(policy: Policy, node: Node): Problem[] {
  return Object.entries(policy.spec.parameters).flatMap(([name, declared]) => {
    const value = parameterOf(node, name, declared);
    const message = parameterComplaint(declared, value);
    if (message === undefined) return [];
    const path = `Node/${node.name}/spec/parameters/${name}`;
    return [
      {
        code: 'invalid-document' as const,
        path,
        value: shown(value),
        message: `${message} (policy ${policy.name})`,
      },
    ];
  });
}

const parameterOf = (node: Node, name: string, declared: Parameter): Value =>
  Object.hasOwn(node.spec.parameters, name)
    ? (node.spec.parameters[name] as Value)
    : (declared.default as Value);

/** What speaks against a value, by the declaration of its parameter. */
export function parameterComplaint(declared: Parameter, value: Value): string | undefined {
  const type = Number.isInteger(value) ? 'integer' : typeof value;
  if (type !== declared.type) return `must be of type ${declared.type}`;
  if (
    typeof value === 'string' &&
    declared.pattern !== undefined &&
    !new RegExp(declared.pattern).test(value)
  )
    return `must match ${declared.pattern}`;
  if (typeof value !== 'number') return undefined;
  if (declared.minimum !== undefined && value < declared.minimum)
    return `must be at least ${declared.minimum}`;
  if (declared.maximum !== undefined && value > declared.maximum)
    return `must be at most ${declared.maximum}`;
  return undefined;
}

/** The declared defaults with the node's own values over them. @throws EvenkeelError render-failed with every problem */
function parametersOf(policy: Policy, node: Node): Record<string, Value> {
  const problems = parameterProblems(policy, node);
  if (problems[0])
    throw new EvenkeelError('render-failed', `${problems[0].path} ${problems[0].message}`, { problems });
  return Object.fromEntries(
    Object.entries(policy.spec.parameters).map(([name, declared]) => [
      name,
      parameterOf(node, name, declared),
    ]),
  );
}

/** The part of the context that stands still while items come and go. */
export function nodeContext(policy: Policy, node: Node, cluster?: Cluster): NodeContext {
  const { state, run, log } = node.spec.paths;
  const folder = `${state}/units/${policy.name}`;
  return {
    unit: policy.name,
    node: {
      name: node.name,
      address: node.spec.address,
      ...(node.spec.address6 === undefined ? {} : { address6: node.spec.address6 }),
      roles: node.spec.roles,
    },
    params: parametersOf(policy, node),
    ...(cluster ? { cluster: clusterContext(cluster) } : {}),
    state,
    run,
    log,
    folder,
    current: `${folder}/current`,
  };
}

const clusterContext = ({ spec: { address, balancer, fallback } }: Cluster) => ({
  address,
  balancer,
  fallback,
});

/** @param files the live files; `digest` names the tree, or stands in for its name */
export function unitContext(
  fixed: NodeContext,
  { policy, items }: UnitInputs,
  files: (Pick<RenderedFile, 'path' | 'name'> & { for: string })[],
  digest: string,
): Context {
  const inputs = Object.keys(policy.spec.inputs).map((name) => [name, items.input(name).context()]);
  return {
    ...fixed,
    digest,
    tree: `${fixed.folder}/trees/${digest}`,
    files: files.map((file) => ({
      path: file.path,
      place: `${fixed.folder}/files/${file.name}`,
      for: file.for,
    })),
    inputs: Object.fromEntries(inputs),
  };
}
