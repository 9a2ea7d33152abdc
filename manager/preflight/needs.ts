/** What the roles of a node ask of its box: packages, kernel modules, ports, storages, addresses on lo. Pure. */
import { mountsStorages, policiesOf, SERVER_ROLE } from '../../common/policies.ts';
import { resolveListens } from '../../common/render/resolve.ts';
import type { Stored, View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Needs } from '../../protocol/preflight.ts';
import { parseResource, type ResourceOf } from '../../protocol/resource.ts';
import type { Subject } from './subject.ts';

export function needsOf({ name, roles, parameters, facts }: Subject, view: View): Needs {
  const cluster = view.Cluster.get('cluster');
  const policies = policiesOf(view.Policy.values(), { roles, parameters }, cluster);
  const each = <T>(list: readonly T[]) => [...new Set(list)].sort();
  const packagesOf = (family: 'debian' | 'rhel') =>
    each(policies.flatMap(({ spec: { packages } }) => packages?.[family] ?? []));
  const spec = { roles: [...roles], parameters, address: facts.address };
  return {
    packages: { debian: packagesOf('debian'), rhel: packagesOf('rhel') },
    modules: each(policies.flatMap(({ spec: { modules } }) => modules ?? [])),
    ports: portsOf(policies, name, spec, cluster),
    storages: storagesOf(policies, { name, roles }, view),
    vips: vipsOf(roles, view),
  };
}

/** A parameter that does not fit is refused where it is declared, and not once more here. */
function portsOf(
  policies: Stored<'Policy'>[],
  name: string,
  spec: object,
  cluster: Stored<'Cluster'> | undefined,
): Needs['ports'] {
  const parsed = parseResource({ kind: 'Node', name, spec });
  if (!parsed.ok) return [];
  const node = parsed.resource as ResourceOf<'Node'>;
  return policies.flatMap((policy) => {
    try {
      return resolveListens(policy, node, cluster).map((place) => ({ ...place, unit: policy.name }));
    } catch (err) {
      if (err instanceof EvenkeelError) return [];
      throw err;
    }
  });
}

function storagesOf(
  policies: Stored<'Policy'>[],
  { name, roles }: Pick<Subject, 'name' | 'roles'>,
  view: View,
): Needs['storages'] {
  const mounts = policies.some(mountsStorages);
  return [...view.Storage.values()].flatMap(({ name: storage, spec }) => {
    const server = typeof spec.server === 'string' ? spec.server : spec.server.node;
    const place = { mountpoint: spec.mountpoint, ...(spec.link === undefined ? {} : { link: spec.link }) };
    const isHere = server === name && roles.includes(SERVER_ROLE);
    if (!mounts && !isHere) return [];
    return [
      {
        ...{ name: storage, server },
        ...(mounts ? place : {}),
        ...(isHere ? { export: spec.export, quotas: Object.keys(spec.quotas).length > 0 } : {}),
      },
    ];
  });
}

/** Of the virtual services that reach a member under their own address. */
function vipsOf(roles: readonly string[], view: View): string[] {
  const balancer = view.Cluster.get('cluster')?.spec.balancer;
  if (balancer !== 'lvs' && balancer !== 'ipvsadm') return [];
  const reached = [...view.VirtualService.values()].filter(
    ({ spec }) => spec.forwarding !== 'NAT' && roles.includes(spec.pool.role),
  );
  return [...new Set(reached.map(({ spec }) => spec.vip))].sort();
}
