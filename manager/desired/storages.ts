/**
 * Storages: each at a server that is there, and in no folders of another one. Pure.
 *
 * A mountpoint or link within another one would be reached through what users may change, and hang with the other
 * server; of exports that share files one would be moved while the other is written.
 */
import { SERVER_ROLE } from '../../common/policies.ts';
import type { Edit, Proposal } from '../../common/rules.ts';
import type { View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { canonical } from '../../protocol/resource.ts';
import type { StoragePlace, StorageSpec } from '../../protocol/resources/storage.ts';
import { problemAt, type Touched } from './place.ts';

export function storageProblems({ before, after }: Proposal, touched: Touched): Problem[] {
  const puts = touched.puts('Storage');
  const later = new Set(puts.map(({ resource }) => resource.name));
  return puts.flatMap(({ edit, resource: { name, spec } }) => {
    const old = before.Storage.get(name)?.spec;
    // Of two that come at once, the later one is told.
    const others = [...after.Storage.values()].filter((one) => one.name !== name && !later.has(one.name));
    later.delete(name);
    const stood = new Set(old ? clashesOf(old, [...before.Storage.values()]).map(({ text }) => text) : []);
    const clashes = clashesOf(spec, others).filter(({ text }) => !stood.has(text));
    return [
      ...serverProblems(edit, spec, old, after),
      ...clashes.slice(0, MOST_TOLD).map((clash) => clashProblem(edit, name, clash)),
    ];
  });
}

const MOST_TOLD = 5;

/** Where a storage is, and where its move leads from and to. */
const placesOf = ({ server, export: path, move }: StorageSpec): StoragePlace[] => [
  { server, export: path },
  ...(move ? [move.from, move.to] : []),
];

/** One that is gone since does no harm: a dead box can always be removed, and a move be taken back to where it was. */
function serverProblems(
  edit: Edit,
  { server }: StorageSpec,
  old: StorageSpec | undefined,
  { Node }: View,
): Problem[] {
  if (old && placesOf(old).some((place) => canonical(place.server) === canonical(server))) return [];
  if (typeof server === 'string') return ownServer(edit, server, Node);
  if (Node.get(server.node)?.spec.roles.includes(SERVER_ROLE)) return [];
  const there = Node.has(server.node);
  return [
    problemAt(edit, 'spec/server/node', {
      code: 'dangling-reference',
      value: server.node,
      message: there
        ? `the node ${server.node} has not the role ${SERVER_ROLE}, so nobody would export the folder`
        : `there is no node ${server.node}`,
      fix: there
        ? `give the node ${server.node} the role ${SERVER_ROLE} in the same request`
        : `let it join with the role ${SERVER_ROLE} first, or write the address of a server that somebody else runs`,
    }),
  ];
}

/** By its address a file server of this cluster would be somebody else's: nothing would be exported, nor fenced in a move. */
function ownServer(edit: Edit, server: string, Node: View['Node']): Problem[] {
  const node = [...Node.values()].find(
    ({ spec: { roles, address, address6 } }) =>
      roles.includes(SERVER_ROLE) && [address, address6].includes(server),
  );
  if (!node) return [];
  return [
    problemAt(edit, 'spec/server', {
      code: 'storage-conflict',
      value: server,
      message: `${server} is the node ${node.name}, a file server of this cluster`,
      fix: `write server: {node: ${node.name}}`,
    }),
  ];
}

interface Clash {
  field: 'mountpoint' | 'link' | 'export';
  value: string;
  /** What is in the way. */
  with: string;
  /** Tells one clash from another. */
  text: string;
}

const isWithin = (path: string, folder: string): boolean => `${path}/`.startsWith(`${folder}/`);
const share = (a: string, b: string): boolean => isWithin(a, b) || isWithin(b, a);

const localsOf = ({ mountpoint, link }: StorageSpec) => [
  { field: 'mountpoint' as const, value: mountpoint },
  ...(link === undefined ? [] : [{ field: 'link' as const, value: link }]),
];

function clashesOf(spec: StorageSpec, others: readonly { name: string; spec: StorageSpec }[]): Clash[] {
  const found = new Map<string, Clash>();
  const add = (field: Clash['field'], value: string, other: string) => {
    const text = `${field} ${value} ${other}`;
    found.set(text, { field, value, with: other, text });
  };
  const { mountpoint, link } = spec;
  if (link !== undefined && share(link, mountpoint)) add('link', link, `its own mountpoint ${mountpoint}`);
  const own = localsOf(spec);
  for (const { name, spec: other } of others) {
    for (const taken of localsOf(other))
      for (const { field, value } of own.filter(({ value }) => share(value, taken.value)))
        add(field, value, `the ${taken.field} ${taken.value} of Storage/${name}`);
    const isShared = ({ server, export: path }: StoragePlace) =>
      canonical(server) === canonical(other.server) && share(path, other.export);
    for (const place of placesOf(spec).filter(isShared))
      add('export', place.export, `the export ${other.export} of Storage/${name}`);
  }
  return [...found.values()];
}

const clashProblem = (edit: Edit, name: string, clash: Clash): Problem =>
  problemAt(edit, `spec/${clash.field}`, {
    code: 'storage-conflict',
    value: clash.value,
    message: `the ${clash.field} ${clash.value} of Storage/${name} and ${clash.with} lie in each other`,
    fix:
      clash.field === 'export'
        ? 'give them folders beside each other, or let both be one Storage'
        : 'give it a place beside the other one, such as /srv/NAME',
  });
