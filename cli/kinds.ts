/** Kinds as people name and see them: `site`, `sites` or `Site`; the columns of each in a table. */
import { meantHint } from '../protocol/nearest.ts';
import { type Kind, kindNames, type Specs } from '../protocol/resource.ts';
import type { StoredResource } from '../protocol/views.ts';
import { UsageError } from './failure.ts';

const short: Record<string, Kind> = {
  vs: 'VirtualService',
  service: 'VirtualService',
  services: 'VirtualService',
};

const plurals = (kind: Kind): string[] => {
  const name = kind.toLowerCase();
  return [name, `${name}s`, name.replace(/y$/, 'ies')];
};

/** @throws UsageError that names all kinds */
export function kindOf(text: string): Kind {
  const wanted = text.toLowerCase();
  const kind = kindNames.find((name) => plurals(name).includes(wanted)) ?? short[wanted];
  if (kind) return kind;
  const fix = `${meantHint(text, kindNames)}use one of ${kindNames.join(', ')}`;
  throw new UsageError(`there is no kind ${text}`, fix);
}

type Columns = { [K in Kind]: { headers: string[]; cells: (spec: Specs[K]) => string[] } };

const list = (items: readonly string[]): string => (items.length === 0 ? '-' : items.join(', '));
const count = (items: readonly unknown[] | object, one: string): string => {
  const number = Array.isArray(items) ? items.length : Object.keys(items).length;
  return `${number} ${one}${number === 1 ? '' : 's'}`;
};

const columns: Columns = {
  Cluster: {
    headers: ['ADDRESS', 'BALANCER', 'FALLBACK PORT'],
    cells: ({ address, balancer, fallback }) => [address, balancer, String(fallback.port)],
  },
  Template: {
    headers: ['SYNTAX', 'LINES'],
    cells: ({ syntax, text }) => [syntax, String(text.split('\n').length)],
  },
  Policy: {
    headers: ['ROLE', 'MODE', 'TAKES', 'FILES', 'CHECKS'],
    cells: ({ role, mode, inputs, files, checks }) => [
      role,
      mode,
      list(Object.values(inputs).map(({ kind }) => kind)),
      String(files.length),
      list(checks.map(({ name }) => name)),
    ],
  },
  Node: {
    headers: ['ROLES', 'ADDRESS', 'MODE', 'WEIGHT', 'PARAMETERS'],
    cells: ({ roles, address, mode, weight, parameters }) => [
      list(roles),
      address,
      mode,
      String(weight),
      list(Object.entries(parameters).map(([name, value]) => `${name}=${value}`)),
    ],
  },
  Storage: {
    headers: ['SERVER', 'EXPORT', 'MOUNTPOINT'],
    cells: ({ server, export: exported, mountpoint }) => [
      typeof server === 'string' ? server : `node ${server.node}`,
      exported,
      mountpoint,
    ],
  },
  Site: {
    headers: ['ROOT', 'TLS', 'PHP', 'REDIRECTS', 'ALIASES'],
    cells: ({ root, tls, php, redirects, aliases }) => [
      root,
      tls ? 'yes' : '-',
      php ? 'yes' : '-',
      redirects.length === 0 ? '-' : count(redirects, 'redirect'),
      list(aliases),
    ],
  },
  VirtualService: {
    headers: ['VIP', 'PORTS', 'SCHEDULER', 'POOL', 'FALLBACK'],
    cells: ({ vip, ports, scheduler, pool, fallback }) => [
      vip,
      ports.map(({ port, target }) => (port === target ? `${port}` : `${port}>${target}`)).join(', '),
      scheduler,
      `${pool.role}, ${pool.check}`,
      typeof fallback === 'string' ? fallback : `${fallback.address}:${fallback.port}`,
    ],
  },
  Action: {
    headers: ['FOR', 'AGAIN BY ITSELF', 'PARAMETERS', 'DESCRIPTION'],
    cells: ({ roles, idempotent, parameters, description }) => [
      roles.length === 0 ? 'every node' : list(roles),
      idempotent ? 'yes' : 'no',
      list(Object.keys(parameters)),
      description,
    ],
  },
  Schedule: {
    headers: ['ACTION', 'ON', 'WHEN', 'TIME ZONE', 'SUSPENDED'],
    cells: ({ action, on, cron, timeZone, suspended }) => [
      ...[action, on, cron, timeZone],
      suspended ? 'yes' : '-',
    ],
  },
};

/** The headers of a kind's table and a row for each resource; the manager has checked their specs. */
export function rowsOf(kind: Kind, resources: StoredResource[]): { headers: string[]; rows: string[][] } {
  const { headers, cells } = columns[kind] as { headers: string[]; cells: (spec: unknown) => string[] };
  return {
    headers: ['NAME', 'REVISION', ...headers],
    rows: resources.map(({ name, revision, spec }) => [name, String(revision), ...cells(spec)]),
  };
}
