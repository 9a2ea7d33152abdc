/** The kernel's IPVS table as /proc/net/ip_vs shows it: IPv4, IPv6, UDP and marks, with what each server holds now. Pure. */

export type Method = 'DR' | 'NAT' | 'TUN';

export interface TableServer {
  /** `192.0.2.11:80` or `[2001:db8::11]:80`; at port 0 it gets whatever port was asked for. */
  place: string;
  method: Method | 'local' | 'other';
  weight: number;
  active: number;
  inactive: number;
}

export interface TableService {
  /** `tcp 192.0.2.10:80`, `udp [2001:db8::53]:53` or `mark 7`. */
  key: string;
  scheduler: string;
  /** Each packet is scheduled by itself. */
  ops: boolean;
  /** In the kernel's own ticks, with its mask as it stands there: for IPv6 that is the length of a prefix. */
  persistence: { ticks: number; mask: number } | null;
  servers: TableServer[];
}

const methods: Record<string, TableServer['method']> = {
  Route: 'DR',
  Masq: 'NAT',
  Tunnel: 'TUN',
  Local: 'local',
};
const service = /^(?<protocol>TCP|UDP|SCTP|FWM) +(?<place>\S+) (?<scheduler>\S+) *(?<rest>.*)$/;
const server =
  /^ +-> (?<place>\S+) +(?<method>[A-Za-z]+) +(?<weight>-?\d+) +(?<active>\d+) +(?<inactive>\d+)/;
const persistent = /persistent (?<ticks>\d+) (?<mask>[0-9A-F]{8})/;

/** Lines that are neither a service nor a server are its heading. */
export function parseTable(text: string): TableService[] {
  const found: TableService[] = [];
  for (const line of text.split('\n')) {
    const one = service.exec(line)?.groups;
    if (one) found.push(serviceOf(one));
    const destination = server.exec(line)?.groups;
    if (destination && !line.includes('RemoteAddress')) found.at(-1)?.servers.push(serverOf(destination));
  }
  return found;
}

type Groups = Record<string, string | undefined>;

function serviceOf({ protocol = '', place = '', scheduler = '', rest = '' }: Groups): TableService {
  const key =
    protocol === 'FWM' ? `mark ${Number.parseInt(place, 16)}` : `${protocol.toLowerCase()} ${placeOf(place)}`;
  const { ticks, mask } = persistent.exec(rest)?.groups ?? {};
  const persistence =
    ticks === undefined || mask === undefined
      ? null
      : { ticks: Number(ticks), mask: Number.parseInt(mask, 16) };
  return { key, scheduler, ops: /\bops\b/.test(rest), persistence, servers: [] };
}

const serverOf = ({ place = '', method = '', weight, active, inactive }: Groups): TableServer => ({
  place: placeOf(place),
  method: methods[method] ?? 'other',
  weight: Number(weight),
  active: Number(active),
  inactive: Number(inactive),
});

/** `C000020A:0050` or `[2001:0db8:...:0010]:0050` as people write it. */
function placeOf(hex: string): string {
  const at = hex.lastIndexOf(':');
  const port = Number.parseInt(hex.slice(at + 1), 16);
  const host = hex.slice(0, at);
  if (host.startsWith('[')) return placeAt(host.slice(1, -1), port);
  return placeAt([0, 2, 4, 6].map((from) => Number.parseInt(host.slice(from, from + 2), 16)).join('.'), port);
}

export const isV6 = (address: string): boolean => address.includes(':');

/** An address has many spellings in IPv6, and here one. */
export const placeAt = (address: string, port: number): string =>
  `${isV6(address) ? new URL(`http://[${address}]`).hostname : address}:${port}`;
