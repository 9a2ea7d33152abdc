/** The target of LVS: what the kernel's table is to hold for what is wanted of each member, and what it has of it. Pure. */
import type { ServerRow, TrafficRow, WantedServer } from '../../../common/balancer.ts';
import { weightForShare } from '../../../common/health/ramp.ts';
import type { Told } from './files.ts';
import type { Target, TargetServer } from './plan.ts';
import type { Entry } from './structure.ts';
import type { TableServer, TableService } from './table.ts';

export type Wants = ReadonlyMap<string, WantedServer>;

export const wantsOf = (wanted: readonly WantedServer[]): Wants =>
  new Map(wanted.map((one) => [`${one.backend}/${one.server}`, one]));

/** All backends of one entry are wanted alike. */
export const wantOf = ({ backends }: Entry, node: string, wants: Wants): WantedServer | undefined =>
  wants.get(`${backends[0]}/${node}`);

export interface TargetOptions {
  wants: Wants;
  /** What of the new connections the fallback is to get beside members that are back, or beside the first one, by service. */
  shares: ReadonlyMap<string, number>;
  actual: TableService | undefined;
  /** Whether a server that is wanted takes connections, or will with this plan. */
  takes: (place: string) => boolean;
}

/** A member of whom nothing is said stays as it is. */
export function targetOf(entry: Entry, { wants, shares, actual, takes }: TargetOptions): Target {
  const has = new Map(actual?.servers.map((server) => [server.place, server]));
  const servers = entry.members.flatMap(({ node, place }): TargetServer[] => {
    const want = wantOf(entry, node, wants);
    const now = has.get(place);
    if (want === undefined) return now ? [{ place, method: entry.method, weight: now.weight }] : [];
    if (want.state === 'down') return [];
    return [{ place, method: entry.method, weight: want.state === 'up' ? want.weight : 0 }];
  });
  const weights = servers.flatMap(({ place, weight }) => (takes(place) && weight > 0 ? [weight] : []));
  const weight = fallbackWeight(entry, weights, shares.get(entry.service) ?? 0);
  if (entry.fallback === null || weight === 0) return { entry, servers };
  return { entry, servers: [...servers, { ...entry.fallback, weight }] };
}

/** Those that go by weights; the others give the fallback as much as a member, which is too much for a small share. */
const weighing: ReadonlySet<string> = new Set(['wrr', 'wlc', 'lblc', 'lblcr', 'sed', 'nq', 'mh']);

const HALF = 0.5;
const MOST_WEIGHT = 65_535;

/** @param weights of those that take connections */
function fallbackWeight({ scheduler, members }: Entry, weights: readonly number[], share: number): number {
  const alone = weights.length === 0;
  if (share <= 0) return alone ? 1 : 0;
  if (!weighing.has(scheduler)) return alone || share >= HALF ? 1 : 0;
  // Who comes next is there before the next look: the table already leaves him his part, by the weight he may have.
  const beside = alone ? [Math.max(1, ...members.map(({ weight }) => weight))] : weights;
  const together = beside.reduce((sum, weight) => sum + weight, 0);
  return Math.min(MOST_WEIGHT, rounded(weightForShare(share, together), beside));
}

/**
 * To a tenth of what all weights can be divided by. wrr gives one server as many connections in a row as the difference
 * of weights holds that divisor: 233 beside 100 would be 133 in a row, 230 are 13.
 */
function rounded(weight: number, weights: readonly number[]): number {
  const step = Math.max(1, Math.floor(weights.reduce(greatestDivisor) / 10));
  return Math.max(1, Math.round(weight / step)) * step;
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** @param told what keepalived is told of a member; undefined where nobody has to be told anything */
export const rowsOf = (
  entries: readonly Entry[],
  table: readonly TableService[],
  told: (entry: Entry, node: string) => Told | null | undefined,
): ServerRow[] => {
  const has = new Map(table.map((service) => [service.key, service]));
  return entries.flatMap((entry) => {
    const servers = new Map(has.get(entry.key)?.servers.map((server) => [server.place, server]));
    return entry.backends.flatMap((backend) => [
      ...entry.members.map(({ node, place }) => ({
        backend,
        server: node,
        ...rowOf(servers.get(place), told(entry, node)),
      })),
      ...entry.lacking.map((node) => ({ backend, server: node, ...lacking })),
    ]);
  });
};

type Row = Omit<ServerRow, 'backend' | 'server'>;

const lacking: Row = { admin: 'ready', weight: 0, running: false, sessions: 0, check: 'it has no address6' };

function rowOf(now: TableServer | undefined, told: Told | null | undefined): Row {
  const weight = now?.weight ?? told?.weight ?? 0;
  return {
    admin: adminOf(now, told),
    weight,
    running: now !== undefined,
    sessions: now ? now.active + now.inactive : 0,
    check: now ? '' : 'not in the table of the kernel',
  };
}

/** A drain counts once the kernel shows it. */
function adminOf(now: TableServer | undefined, told: Told | null | undefined): ServerRow['admin'] {
  if (told === undefined) return now === undefined ? 'maint' : now.weight === 0 ? 'drain' : 'ready';
  if (told === null) return now?.weight === 0 ? 'drain' : 'ready';
  if (told.down) return 'maint';
  return told.weight === 0 && (now?.weight ?? 0) === 0 ? 'drain' : 'ready';
}

const counted =
  /^(?<kind>TCP|UDP|FWM| +->) +(?<place>\S+) +(?<conns>\d+) +(?<inPackets>\d+) +(?<outPackets>\d+) +(?<inBytes>\d+) +(?<outBytes>\d+)$/;

/** The listing of `ipvsadm -L -n --stats --exact`. The ports of a mark cannot be told apart: all counts as the first. */
export function trafficOf(
  listing: string,
  entries: readonly Entry[],
  table: readonly TableService[],
): TrafficRow[] {
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  const held = new Map(table.map((service) => [service.key, service.servers]));
  const rows: TrafficRow[] = [];
  let entry: Entry | undefined;
  for (const line of listing.split('\n')) {
    const { kind = '', place = '', ...numbers } = counted.exec(line)?.groups ?? {};
    if (kind === '') continue;
    const isServer = kind.endsWith('->');
    if (!isServer) entry = byKey.get(`${kind === 'FWM' ? 'mark' : kind.toLowerCase()} ${place}`);
    const node = entry?.members.find((member) => member.place === place)?.node;
    if (entry === undefined || (isServer && node === undefined)) continue;
    const servers = held.get(entry.key)?.filter((server) => !isServer || server.place === place) ?? [];
    rows.push({
      backend: entry.backends[0] ?? '',
      server: isServer ? (node ?? null) : null,
      connections: Number(numbers.conns),
      active: servers.reduce((sum, { active }) => sum + active, 0),
      inactive: servers.reduce((sum, { inactive }) => sum + inactive, 0),
      packetsIn: Number(numbers.inPackets),
      packetsOut: Number(numbers.outPackets),
      bytesIn: Number(numbers.inBytes),
      bytesOut: Number(numbers.outBytes),
    });
  }
  return rows;
}
