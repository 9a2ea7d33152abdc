/** The plan of a table: which lines for `ipvsadm -R` make what the kernel has what it is to have. Pure. */
import type { Entry } from './structure.ts';
import type { Method, TableServer, TableService } from './table.ts';

export interface TargetServer {
  place: string;
  method: Method;
  weight: number;
}

export interface Target {
  entry: Entry;
  servers: TargetServer[];
}

/** One line, and what it is about. */
export interface Change {
  what: 'add-service' | 'edit-service' | 'add' | 'edit' | 'delete' | 'delete-service';
  key: string;
  /** Of the server; empty where it is about the service. */
  place: string;
  line: string;
}

/** Additions come before edits, and edits before deletions: nobody is turned away between two lines. */
const order: Change['what'][] = ['add-service', 'edit-service', 'add', 'edit', 'delete', 'delete-service'];

export interface PlanOptions {
  /** The kernel's ticks in a second; null while that is not known, and then seconds are not compared. */
  hz: number | null;
  /** Services that no target has and that are ours to delete. */
  isOurs: (key: string) => boolean;
}

export function planTable(
  targets: readonly Target[],
  table: readonly TableService[],
  { hz, isOurs }: PlanOptions,
): Change[] {
  const has = new Map(table.map((service) => [service.key, service]));
  const wanted = new Set(targets.map(({ entry }) => entry.key));
  const changes = targets.flatMap((target) => planService(target, has.get(target.entry.key), hz));
  const gone = table.filter(({ key }) => !wanted.has(key) && isOurs(key));
  const deletions = gone.flatMap(({ key, servers }): Change[] =>
    familiesOf(key, servers).map((v6) => ({
      what: 'delete-service',
      key,
      place: '',
      line: `-D ${argumentsOf(key, v6)}`,
    })),
  );
  return [...changes, ...deletions].sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what));
}

function planService(
  { entry, servers }: Target,
  actual: TableService | undefined,
  hz: number | null,
): Change[] {
  const { key } = entry;
  const named = argumentsOf(key, entry.v6);
  const of = (what: Change['what'], place: string, line: string): Change => ({ what, key, place, line });
  const service = `${named} -s ${entry.scheduler}${persistenceOf(entry)}`;
  const head = !actual
    ? [of('add-service', '', `-A ${service}`)]
    : isSame(entry, actual, hz)
      ? []
      : [of('edit-service', '', `-E ${service}`)];
  const has = new Map((actual?.servers ?? []).map((server) => [server.place, server]));
  const wanted = new Set(servers.map(({ place }) => place));
  const puts = servers.flatMap((server) => {
    const now = has.get(server.place);
    if (now && agrees(server, now)) return [];
    const rest = `${named} -r ${server.place} ${flags[server.method]} -w ${server.weight}`;
    return [now ? of('edit', server.place, `-e ${rest}`) : of('add', server.place, `-a ${rest}`)];
  });
  const stale = [...has.keys()].filter((place) => !wanted.has(place));
  return [...head, ...puts, ...stale.map((place) => of('delete', place, `-d ${named} -r ${place}`))];
}

/** A mark shows its family by its servers alone; without one it is tried as both, and the line that fails does nothing. */
function familiesOf(key: string, servers: readonly TableServer[]): boolean[] {
  if (!key.startsWith('mark') || servers[0] === undefined)
    return key.startsWith('mark') ? [false, true] : [false];
  return [servers[0].place.startsWith('[')];
}

const flags: Record<Method, string> = { DR: '-g', NAT: '-m', TUN: '-i' };

/** Whatever way was asked for, the kernel may show a server that is this box itself as local. */
const agrees = (wanted: TargetServer, now: TableServer): boolean =>
  wanted.weight === now.weight && (wanted.method === now.method || now.method === 'local');

function isSame({ scheduler, persistence, v6 }: Entry, actual: TableService, hz: number | null): boolean {
  if (actual.scheduler !== scheduler || actual.ops) return false;
  if (persistence === null || actual.persistence === null) return persistence === actual.persistence;
  const { ticks, mask } = actual.persistence;
  return masksOf(persistence.bits, v6).includes(mask) && (hz === null || ticks === persistence.seconds * hz);
}

/** For IPv6 the kernel turns the bytes of a plain number, and on some machines does not. */
const masksOf = (bits: number, v6: boolean): number[] =>
  v6 ? [bits, (bits << 24) >>> 0] : [(0xff_ff_ff_ff << (32 - bits)) >>> 0];

function persistenceOf({ persistence, v6 }: Entry): string {
  if (persistence === null) return '';
  const { seconds, bits } = persistence;
  if (v6) return ` -p ${seconds}${bits === 128 ? '' : ` -M ${bits}`}`;
  return ` -p ${seconds}${bits === 32 ? '' : ` -M ${dotted(masksOf(bits, v6)[0] ?? 0)}`}`;
}

const dotted = (mask: number): string => [24, 16, 8, 0].map((by) => (mask >>> by) & 0xff).join('.');

/** How ipvsadm names a service. */
export function argumentsOf(key: string, v6: boolean): string {
  const [kind = '', place = ''] = key.split(' ');
  if (kind === 'mark') return `-f ${place}${v6 ? ' -6' : ''}`;
  return `${kind === 'udp' ? '-u' : '-t'} ${place}`;
}
