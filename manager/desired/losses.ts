/** Losses: one edit that takes the data from the nodes that mount them, or every service off the air. An operator may force it. Pure. */
import { mountsStorages, policiesOf, SERVER_ROLE } from '../../common/policies.ts';
import { type Edit, keyOfEdit, type Proposal } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/resource.ts';
import { BALANCER_ROLE } from '../../protocol/topics.ts';
import { problemAt } from './place.ts';

/** What a node has of a storage. */
interface Mounted {
  source: string;
  mountpoint: string;
  link: string | undefined;
}

/** Where nodes mount a storage, nothing or another content would be there from one moment to the next. */
export function storageLosses({ before, after, edits }: Proposal): Problem[] {
  if (before.Storage.size === 0) return [];
  const [had, has] = [mountersOf(before), mountersOf(after)];
  // A node that gives up every role for which it mounts is to do so.
  const staying = [...had].filter(([name, roles]) =>
    after.Node.get(name)?.spec.roles.some((role) => roles.includes(role)),
  );
  return [...before.Storage.values()].flatMap((storage): Problem[] => {
    const was = mountedOf(storage, before);
    const is = mountedOf(after.Storage.get(storage.name), after);
    if (was === null) return [];
    const isSame = is !== null && isAsBefore(was, is);
    const losers = staying.filter(([name]) => !isSame || !has.has(name)).map(([name]) => name);
    return losers.length === 0 ? [] : [storageLoss(storage, { was, is, losers, edits })];
  });
}

/** Nodes that mount storages, each with the roles for which it does. */
function mountersOf({ Node, Policy, Cluster }: View): Map<string, string[]> {
  const policies = [...Policy.values()].filter(mountsStorages);
  return new Map(
    [...Node.values()].flatMap(({ name, spec }): [string, string[]][] => {
      const roles = policiesOf(policies, spec, Cluster.get('cluster')).map((one) => one.spec.role);
      return roles.length === 0 ? [] : [[name, roles]];
    }),
  );
}

/** Null where nodes mount nothing: the node that should serve it does not. */
function mountedOf(storage: Stored<'Storage'> | undefined, { Node }: View): Mounted | null {
  if (!storage) return null;
  const { server, export: path, mountpoint, link } = storage.spec;
  if (typeof server === 'string') return { source: `${server}:${path}`, mountpoint, link };
  const node = Node.get(server.node)?.spec;
  if (!node?.roles.includes(SERVER_ROLE)) return null;
  return { source: `${node.address}:${path}`, mountpoint, link };
}

/** A link that is new takes nothing away. */
const isAsBefore = (was: Mounted, is: Mounted): boolean =>
  was.source === is.source &&
  was.mountpoint === is.mountpoint &&
  (was.link === undefined || was.link === is.link);

interface Loss {
  was: Mounted;
  is: Mounted | null;
  losers: string[];
  edits: readonly Edit[];
}

function storageLoss({ name, spec }: Stored<'Storage'>, { was, is, losers, edits }: Loss): Problem {
  const server = typeof spec.server === 'string' ? undefined : spec.server.node;
  const of = (kind: Kind, wanted: string | undefined) =>
    edits.find((edit) => keyOfEdit(edit).kind === kind && keyOfEdit(edit).name === wanted);
  const stand = `${listed(losers)} mount Storage/${name} at ${was.mountpoint} from ${was.source}`;
  const said = (edit: Edit | undefined, field: string, what: string, fix: string) =>
    problemAt(edit, field, {
      ...{ code: 'storage-elsewhere', value: name, message: `${stand}; ${what}` },
      fix: `${fix}, repeat it with --force (by API ?force=true)`,
    });
  const gone = 'it would be taken from them, and programs there would see an empty folder';
  const own = of('Storage', name);
  if (own?.op === 'delete') return said(own, '', gone, 'if nothing there needs it any more');
  const move = `move it to another server first: evenkeel storage move ${name}; `;
  if (is === null) return said(of('Node', server), 'spec/roles', gone, `${move}if it is lost`);
  if (was.source !== is.source) {
    const [edit, field] = own ? [own, 'spec/server'] : [of('Node', server), 'spec/address'];
    const what = `they would look for it at ${is.source}, to which nothing was copied`;
    return said(edit, field, what, `${move}if the files lie there already`);
  }
  if (isAsBefore(was, is)) return said(culprit(edits), 'spec/role', gone, 'if they need it no more');
  const field = was.mountpoint === is.mountpoint ? 'link' : 'mountpoint';
  const what = `it would be gone from ${was[field]}, and what is served there with it`;
  return said(own, `spec/${field}`, what, 'if nothing reads it there any more');
}

/** Services that a director balanced, and none would. */
export function directorLosses({ before, after, edits }: Proposal): Problem[] {
  const had = directorsOf(before);
  if (had.length === 0 || directorsOf(after).length > 0) return [];
  const services = [...before.VirtualService.keys()].filter((name) => after.VirtualService.has(name));
  if (services.length === 0) return [];
  const nobody = `nobody would balance ${listed(services)} any more`;
  const cluster = edits.find((edit) => keyOfEdit(edit).kind === 'Cluster');
  const external = after.Cluster.get('cluster')?.spec.balancer === 'external';
  if (cluster && external)
    return [
      problemAt(cluster, 'spec/balancer', {
        ...{
          code: 'no-director',
          value: 'external',
          message: `${nobody}: ${listed(had)} would stop at once`,
        },
        fix: 'when the other balancer carries them already, repeat it with --force (by API ?force=true)',
      }),
    ];
  const own = edits.find((edit) => keyOfEdit(edit).kind === 'Node' && had.includes(keyOfEdit(edit).name));
  return [
    problemAt(own ?? culprit(edits), own ? 'spec/roles' : 'spec/role', {
      ...{ code: 'no-director', value: BALANCER_ROLE },
      message: `${nobody}: ${listed(had)} ${had.length === 1 ? 'is the last director' : 'are the last directors'}`,
      fix: `give another node the role ${BALANCER_ROLE} first; if they may stop, repeat it with --force (by API ?force=true)`,
    }),
  ];
}

/** Nodes that balance here: a policy of the role holds under the balancer of the cluster. */
const directorsOf = ({ Node, Policy, Cluster }: View): string[] => {
  const policies = policiesOf(Policy.values(), { roles: [BALANCER_ROLE] }, Cluster.get('cluster'));
  if (policies.length === 0) return [];
  return [...Node.values()].filter(({ spec }) => spec.roles.includes(BALANCER_ROLE)).map(({ name }) => name);
};

const culprit = (edits: readonly Edit[]): Edit | undefined =>
  edits.find((edit) => ['Policy', 'Cluster'].includes(keyOfEdit(edit).kind));

const MOST_LISTED = 5;

const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`;
