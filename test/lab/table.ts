/** The director's table as its kernel has it, and a watch that notes to the millisecond when it changes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Guest } from './guest.ts';

/** One real server of one virtual service. */
export interface TableRow {
  /** `TCP 10.77.0.100:80`, or `FWM 5`. */
  service: string;
  /** `10.77.0.12:80` */
  server: string;
  /** Route, Masq or Tunnel. */
  forwarding: string;
  weight: number;
  active: number;
  inactive: number;
}

const address = (hex: string): string =>
  [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
const place = (text: string): string => {
  const [host = '', port = ''] = text.split(':');
  return `${address(host)}:${Number.parseInt(port, 16)}`;
};

/** Reads the text of /proc/net/ip_vs; IPv4 alone, which is all that the suites time. */
export function readTable(text: string): TableRow[] {
  const rows: TableRow[] = [];
  let service = '';
  for (const line of text.split('\n')) {
    const [first = '', second = '', third = '', ...rest] = line.trim().split(/\s+/);
    if (first === 'TCP' || first === 'UDP') service = `${first} ${place(second)}`;
    else if (first === 'FWM') service = `FWM ${Number.parseInt(second, 16)}`;
    else if (first === '->' && /^[0-9A-F]{8}:/.test(second)) {
      const [weight = 0, active = 0, inactive = 0] = rest.map(Number);
      rows.push({ service, server: place(second), forwarding: third, weight, active, inactive });
    }
  }
  return rows;
}

export const tableOf = async (director: Guest): Promise<TableRow[]> =>
  readTable(await director.run('cat /proc/net/ip_vs 2>/dev/null || true'));

/** Servers of one service that may get new connections. */
export const taking = (rows: readonly TableRow[], service: string): string[] =>
  rows
    .filter((row) => row.service === service && row.weight > 0)
    .map(({ server }) => server.split(':')[0] ?? '')
    .sort();

/** What the watch has seen: the table from this moment on, in the box's own time. */
export interface Seen {
  at: number;
  rows: TableRow[];
}

/** Runs in the box: it looks every five milliseconds, and writes only what has changed. */
const WATCH = `
import { appendFileSync, readFileSync } from 'node:fs';
const shape = (text) => text.split('\\n').map((line) => line.trim().split(/\\s+/).slice(0, 4).join(' ')).join('\\n');
let last = '';
setInterval(() => {
  const text = readFileSync('/proc/net/ip_vs', 'utf8');
  if (shape(text) === last) return;
  last = shape(text);
  appendFileSync('/lab/log/table.jsonl', JSON.stringify({ at: Date.now(), text }) + '\\n');
}, 5);
`;

/** Begins to watch; returns all that was seen so far. */
export async function watchTable(director: Guest): Promise<() => Seen[]> {
  writeFileSync(join(director.folder, 'watch.mjs'), WATCH);
  const log = join(director.folder, 'log', 'table.jsonl');
  writeFileSync(log, '');
  await director.keep('watch', `exec ${process.execPath} /lab/watch.mjs`);
  return () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as { at: number; text: string })
      .map(({ at, text }) => ({ at, rows: readTable(text) }));
}
