/** Select: to which scopes a resource belongs, from the policies' inputs and the nodes' roles. Pure. */
import type { Interests } from '../../common/rules.ts';
import type { SiteStub, Stored, View } from '../../common/view.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import { reachedFrom } from './partials.ts';

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
const roleScope = (role: string): ScopeName => `role/${role}`;

/** Read from the policies once, so that each resource costs a look-up. */
export function interestsOf({ Policy, Template }: Pick<View, 'Policy' | 'Template'>): Interests {
  const policies = [...Policy.values()];
  const inputs = policies.flatMap(({ spec }) =>
    Object.values(spec.inputs).map(({ kind, role }) => ({ taker: spec.role, kind, only: role ?? null })),
  );
  const takersOf = (kind: string) =>
    sorted(inputs.filter((input) => input.kind === kind).map(({ taker }) => taker));
  return {
    Cluster: takersOf('Cluster'),
    Site: takersOf('Site'),
    Storage: takersOf('Storage'),
    VirtualService: takersOf('VirtualService'),
    Node: inputs
      .filter(({ kind }) => kind === 'Node')
      .map(({ taker, only }) => ({ role: taker, only }))
      .sort((a, b) => (`${a.role} ${a.only ?? ''}` < `${b.role} ${b.only ?? ''}` ? -1 : 1)),
    Template: templateRoles(policies, Template),
    Policy: null,
    Action: null,
    Schedule: null,
  };
}

function templateRoles(policies: Stored<'Policy'>[], templates: View['Template']): Record<string, string[]> {
  // Without a prototype: a template may have any name.
  const roles: Record<string, string[]> = Object.create(null);
  for (const { spec } of policies) {
    const named = spec.files.map(({ template }) => template);
    for (const name of reachedFrom(named, templates))
      roles[name] = sorted([...(roles[name] ?? []), spec.role]);
  }
  return roles;
}

/**
 * | kind                                    | scopes                                                        |
 * |---|---|
 * | Cluster                                 | `cluster`, and the roles whose policies take it               |
 * | Policy                                  | its role                                                      |
 * | Template                                | the roles whose policies name it, or a template that includes it |
 * | Node                                    | its own, and the roles whose policies take nodes (of its role) |
 * | Site, VirtualService, Storage           | the roles whose policies take the kind                        |
 * | Action                                  | its roles; without any, `cluster`                             |
 * | Schedule                                | none: it is the manager's matter alone                        |
 */
export function scopesOf(resource: Stored | SiteStub, interests: Interests): ScopeName[] {
  switch (resource.kind) {
    case 'Policy':
      return [roleScope(resource.spec.role)];
    case 'Template':
      return (interests.Template[resource.name] ?? []).map(roleScope);
    case 'Node':
      return [`node/${resource.name}`, ...takersOfNode(resource.spec.roles, interests).map(roleScope)];
    case 'Action': {
      const { roles } = resource.spec;
      return roles.length === 0 ? ['cluster'] : sorted(roles).map(roleScope);
    }
    case 'Schedule':
      return [];
    case 'Cluster':
      return ['cluster', ...interests.Cluster.map(roleScope)];
    default:
      return interests[resource.kind].map(roleScope);
  }
}

const takersOfNode = (roles: string[], interests: Interests): string[] =>
  sorted(interests.Node.filter(({ only }) => only === null || roles.includes(only)).map(({ role }) => role));

/** Every node looks for the head of its scopes, also where nothing is in them. */
export function followedScopes({ Policy, Node }: Pick<View, 'Policy' | 'Node'>): Set<ScopeName> {
  const scopes = new Set<ScopeName>(['cluster']);
  for (const { spec } of Policy.values()) scopes.add(roleScope(spec.role));
  for (const { name, spec } of Node.values()) {
    scopes.add(`node/${name}`);
    for (const role of spec.roles) scopes.add(roleScope(role));
  }
  return scopes;
}
