/** A setup as people see it before it is made: who does what, and how visitors come to it. Pure. */
import type { Cell } from '../table.ts';
import type { Answers, PlannedNode, SharedStorage } from './answers.ts';
import { nothingStays, type Stays } from './stays.ts';

/** Who does what: a column for each role. */
export function roleTable(
  { nodes }: Answers,
  joined: ReadonlySet<string>,
  stays: Stays = nothingStays,
): { headers: string[]; rows: Cell[][] } {
  const all = [...nodes, ...stays.nodes];
  const roles = [...new Set(all.flatMap((node) => node.roles))].sort();
  return {
    headers: ['NODE', 'ADDRESS', ...roles.map((role) => role.toUpperCase()), 'STANDS'],
    rows: all.map((node) => [
      node.name,
      node.address,
      ...roles.map((role) => (node.roles.includes(role) ? 'x' : '')),
      stays.nodes.includes(node)
        ? 'stays as it is'
        : joined.has(node.name)
          ? 'has joined'
          : { text: 'will be invited', tone: 'warn' },
    ]),
  };
}

const withRole = ({ nodes }: Answers, role: string): PlannedNode[] =>
  nodes.filter(({ roles }) => roles.includes(role));

/** The layout in plain text, as it will be: from visitors to the nodes, and what they share. */
export function drawing(asked: Answers, stays: Stays = nothingStays): string {
  const answers = { ...asked, nodes: [...asked.nodes, ...stays.nodes] };
  const { address, networks } = answers;
  const layout =
    networks.public === undefined
      ? `one network ${networks.cluster}`
      : `public network ${networks.public}, private cluster network ${networks.cluster}`;
  return [
    ...[layout, ...wayIn(answers, stays), `manager at ${address}`],
    ...storagesIn(answers, stays).map((one) => `storage ${one}`),
  ].join('\n');
}

/** Each address of visitors of web nodes with its ports. */
function doors({ visitors }: Answers, { services }: Stays): string[] {
  const doors = new Map<string, number[]>();
  const add = (vip: string, ports: number[]) => doors.set(vip, [...(doors.get(vip) ?? []), ...ports]);
  for (const one of [visitors.http, visitors.https])
    if (one !== undefined) add(visitors.vip, [typeof one === 'number' ? one : one.port]);
  for (const { spec } of services)
    if (spec.pool.role === 'web')
      add(
        spec.vip,
        spec.ports.map(({ port }) => port),
      );
  return doors.size === 0
    ? [`${visitors.vip}: no port`]
    : [...doors].map(([vip, ports]) => `${vip}:${ports.join(',')}`);
}

function wayIn(answers: Answers, stays: Stays): string[] {
  const left = `visitors ── ${doors(answers, stays).join(' and ')} ── ${directorText(answers)} ─`;
  const members = withRole(answers, 'web').map(({ name, address }) => `${name} ${address}`);
  if (members.length === 0) return [`${left} nobody: no node has the role web`];
  return members.map((member, at) => {
    const fork = members.length === 1 ? '─' : at === 0 ? '┬' : at === members.length - 1 ? '└' : '├';
    return `${at === 0 ? left : ' '.repeat(left.length)}${fork}─ ${member}`;
  });
}

function directorText(answers: Answers): string {
  const { driver, forwarding } = answers.balancer;
  if (driver === 'external') return 'a balancer of somebody else';
  const names = withRole(answers, 'balancer').map(({ name }) => name);
  const way = forwarding !== undefined && driver !== 'haproxy' ? ` ${forwarding}` : '';
  return names.length === 0
    ? `nobody: no node has the role balancer`
    : `${names.join(' or ')} (${driver}${way})`;
}

function storagesIn({ storage, nodes }: Answers, { storages, link }: Stays): string[] {
  const answered = storage === 'none' ? [] : [link === undefined ? storage : { link, ...storage }];
  const all = [...answered, ...storages].map((one) => storageText(one, nodes));
  return all.length === 0 ? ['none: every node has its own files'] : all;
}

function storageText(
  { server, export: path, mountpoint, link }: SharedStorage,
  nodes: PlannedNode[],
): string {
  const address =
    typeof server === 'string' ? undefined : nodes.find(({ name }) => name === server.node)?.address;
  const place = typeof server === 'string' ? `${server}:${path}` : `${server.node} ${address ?? ''}:${path}`;
  return `${place} at ${mountpoint}${link === undefined ? '' : `, with a link from ${link}`}`;
}
