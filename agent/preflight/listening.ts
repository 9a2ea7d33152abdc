/** Who listens on this box, as the kernel lists it: address, port and the process that holds the socket. */
import { endianness } from 'node:os';
import type { Box } from './box.ts';

export interface Listening {
  /** Of IPv6 only whether it is every address (`::`): those take IPv4 as well. */
  address: string;
  port: number;
  inode: string;
}

/** Of a socket that listens: address, port, and its inode. */
const ROW = /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:0000 0A \S+ \S+ \S+ +\d+ +\d+ (\d+)/;

function addressIn(hex: string): string {
  if (hex.length === 32) return /^0+$/.test(hex) ? '::' : 'IPv6';
  const bytes = hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  return (endianness() === 'LE' ? bytes.reverse() : bytes).join('.');
}

/** @param table the text of /proc/net/tcp or tcp6 */
export const listeningIn = (table: string): Listening[] =>
  table.split('\n').flatMap((line) => {
    const [, address = '', port = '', inode = ''] = ROW.exec(line) ?? [];
    return address === '' ? [] : [{ address: addressIn(address), port: Number.parseInt(port, 16), inode }];
  });

const everywhere = new Set(['0.0.0.0', '::', '*']);

/** Whether two sockets cannot both be had. */
const collide = (a: string, b: string) => a === b || everywhere.has(a) || everywhere.has(b);

/** @returns for each wanted place that is taken by whom */
export async function takenBy<Place extends { address: string; port: number }>(
  box: Box,
  wanted: readonly Place[],
): Promise<(Place & { at: string; by: string })[]> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((file) => box.read(file)));
  const all = tables.flatMap((table) => listeningIn(table ?? ''));
  const taken = wanted.flatMap((place) => {
    const other = all.find(({ address, port }) => port === place.port && collide(address, place.address));
    return other ? [{ place, other }] : [];
  });
  const holders = await box.holders(taken.map(({ other }) => other.inode));
  return taken.map(({ place, other }) => ({
    ...place,
    at: `${other.address === '::' ? '[::]' : other.address}:${other.port}`,
    by: holders.get(other.inode) ?? 'somebody',
  }));
}
