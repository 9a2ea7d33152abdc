/** Claims: on one node no two policies write one path, own one service, or listen on one address and port. Pure. */
import { policiesOf } from '../../common/policies.ts';
import { resolveListens, resolvePaths } from '../../common/render/resolve.ts';
import type { Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { problemAt, type Touched } from './place.ts';

/** What a policy wants to itself on a node. */
interface Claim {
  policy: string;
  field: string;
  what: 'path' | 'service' | 'address';
  value: string;
}

/** Each node that the request may have changed, with its policies; a role without nodes is judged on one by the defaults. */
export function claimProblems({ after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Policy', 'Node', 'Cluster')) return [];
  const found = new Map<string, Problem>();
  for (const node of nodesToJudge(after, touched)) {
    const policies = policiesOf(after.Policy.values(), node.spec, after.Cluster.get('cluster'));
    const claims: Claim[] = [];
    for (const policy of policies) {
      const own = claimsOn(policy, node, after);
      if (own instanceof EvenkeelError) note(found, unresolved(policy, node, own, touched));
      else claims.push(...own);
    }
    for (const problem of conflicts(claims, node, touched)) note(found, problem);
  }
  return [...found.values()];
}

/** Many nodes may show the same conflict; the first one speaks for all. */
function note(found: Map<string, Problem>, problem: Problem): void {
  const key = `${problem.path} ${problem.code} ${problem.value}`;
  if (!found.has(key)) found.set(key, problem);
}

function nodesToJudge(after: View, touched: Touched): Stored<'Node'>[] {
  if (touched.any('Cluster')) return [...after.Node.values()];
  const roles = new Set(touched.puts('Policy').map(({ resource }) => resource.spec.role));
  const nodes = [...after.Node.values()];
  const changed = nodes.filter(
    ({ name, spec }) => touched.of('Node', name) !== undefined || spec.roles.some((role) => roles.has(role)),
  );
  const empty = [...roles].filter((role) => !nodes.some(({ spec }) => spec.roles.includes(role)));
  return [...changed, ...empty.map(imagined)];
}

/** A node of a role that has none yet. */
const imagined = (role: string): Stored<'Node'> => ({
  kind: 'Node',
  name: `any-${role}`,
  revision: 0,
  digest: '',
  spec: {
    roles: [role],
    address: '192.0.2.1',
    parameters: {},
    paths: { state: '/var/lib/evenkeel', run: '/run/evenkeel', log: '/var/log/evenkeel' },
    mode: 'enforce',
    weight: 100,
  },
});

function claimsOn(policy: Stored<'Policy'>, node: Stored<'Node'>, view: View): Claim[] | EvenkeelError {
  const cluster = view.Cluster.get('cluster');
  const { files, service } = policy.spec;
  const claim = (field: string, what: Claim['what'], value: string): Claim => ({
    policy: policy.name,
    field,
    what,
    value,
  });
  const fieldOf = (place: string) => {
    const at = files.findIndex(({ link }) => link === place);
    return at === -1 ? 'spec/service' : `spec/files/${at}/link`;
  };
  try {
    return [
      ...files.map(({ path }, at) => claim(`spec/files/${at}/path`, 'path', `${policy.name}/${path}`)),
      ...resolvePaths(policy, node, cluster).map((place) => claim(fieldOf(place), 'path', place)),
      ...(service ? [claim('spec/service/name', 'service', service.name)] : []),
      ...resolveListens(policy, node, cluster).map(({ address, port }, at) =>
        claim(`spec/listens/${at}`, 'address', `${address}:${port}`),
      ),
    ];
  } catch (err) {
    if (err instanceof EvenkeelError) return err;
    throw err;
  }
}

const unresolved = (
  policy: Stored<'Policy'>,
  node: Stored<'Node'>,
  err: EvenkeelError,
  touched: Touched,
): Problem =>
  problemAt(touched.of('Policy', policy.name) ?? touched.of('Node', node.name), '', {
    code: err.code,
    value: policy.name,
    message: `policy ${policy.name} on node ${node.name}: ${err.message}`,
    fix: 'mend the expression or the parameter',
  });

function conflicts(claims: Claim[], node: Stored<'Node'>, touched: Touched): Problem[] {
  return claims.flatMap((claim, at) => {
    const earlier = claims.slice(0, at).find((other) => collide(other, claim));
    return earlier ? [conflict(earlier, claim, node, touched)] : [];
  });
}

const ANYWHERE = new Set(['*', '0.0.0.0']);

function collide(a: Claim, b: Claim): boolean {
  if (a.what !== b.what) return false;
  if (a.value === b.value) return true;
  if (a.what !== 'address') return false;
  const [hostA = '', portA] = a.value.split(':');
  const [hostB = '', portB] = b.value.split(':');
  return portA === portB && (ANYWHERE.has(hostA) || ANYWHERE.has(hostB));
}

/** The policy that the request brings is blamed, else the node that brings both together. */
function conflict(first: Claim, second: Claim, node: Stored<'Node'>, touched: Touched): Problem {
  const [blamed, other] = touched.of('Policy', second.policy) ? [second, first] : [first, second];
  const edit = touched.of('Policy', blamed.policy);
  return problemAt(edit ?? touched.of('Node', node.name), edit ? blamed.field : 'spec/roles', {
    code: 'path-conflict',
    value: blamed.value,
    message: `on node ${node.name} the policies ${other.policy} and ${blamed.policy} both claim the ${blamed.what} ${blamed.value}`,
    fix: 'change one of the two, a parameter of the node, or its roles',
  });
}
