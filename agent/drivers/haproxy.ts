/**
 * The HAProxy driver: who is in and with what weight, through the runtime socket. Structure is the template's.
 * What it reads is what HAProxy really has; the state file lets that survive a reload.
 */
import { readFile } from 'node:fs/promises';
import type { BalancerDriver, ServerRow, TrafficRow, WantedServer } from '../../common/balancer.ts';
import type { Clock } from '../../common/clock.ts';
import { writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { createTalk, type Talk } from './haproxy-socket.ts';

export function createHaproxyDriver({
  socket,
  stateFile,
  clock,
}: {
  socket: string;
  stateFile: string;
  clock: Clock;
}): BalancerDriver {
  const talk = createTalk({ socket, clock });
  return {
    plan: planServers,
    read: async () => {
      const dump = await talk('show servers state');
      const stat = dump === null ? null : await talk('show stat -1 4 -1');
      return dump === null || stat === null ? null : readServers(dump, stat);
    },
    apply: (changes) => applyAll(talk, changes),
    keep: async () => {
      const dump = await talk('show servers state');
      if (dump !== null && withoutAges(await textOf(stateFile)) !== withoutAges(dump))
        await writeFileAtomic(stateFile, dump);
    },
    traffic: async () => readTraffic((await talk('show stat -1 6 -1')) ?? ''),
  };
}

const adminOf: Record<WantedServer['state'], ServerRow['admin']> = {
  up: 'ready',
  drain: 'drain',
  down: 'maint',
};

/** The commands that make `actual` what is wanted. A server that HAProxy does not have is left to the next reload. */
export function planServers(wanted: readonly WantedServer[], actual: readonly ServerRow[]): string[] {
  const has = new Map(actual.map((server) => [placeOf(server), server]));
  return wanted.flatMap((want) => {
    const place = placeOf(want);
    const now = has.get(place);
    if (now === undefined) return [];
    const weighs = want.state === 'up' && now.weight !== want.weight;
    const moves = now.admin !== adminOf[want.state];
    return [
      ...(weighs ? [`set server ${place} weight ${want.weight}`] : []),
      ...(moves ? [`set server ${place} state ${adminOf[want.state]}`] : []),
    ];
  });
}

const placeOf = ({ backend, server }: { backend: string; server: string }): string => `${backend}/${server}`;

async function applyAll(talk: Talk, changes: readonly string[]): Promise<void> {
  const refused: string[] = [];
  for (const change of changes) {
    const answer = await talk(change).catch(messageOf);
    if (answer === null) refused.push(`${change}: HAProxy does not run`);
    else if (answer.trim() !== '') refused.push(`${change}: ${answer.trim()}`);
  }
  if (refused.length > 0)
    throw new EvenkeelError('driver-failed', `HAProxy refused ${refused.slice(0, 5).join('; ')}`);
}

/** The flags of `srv_admin_state`, as HAProxy's management guide numbers them. */
const MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20 | 0x40;
const DRAIN = 0x08 | 0x10;
const RUNNING = 2;

/** The two tables of HAProxy, joined: what servers are told, and what they hold. */
export function readServers(dump: string, stat: string): ServerRow[] {
  const sessions = new Map(
    table(stat.replace(/^# /, ''), ',').map((row) => [`${row.pxname}/${row.svname}`, row]),
  );
  return table(dump.replace(/^[^\n]*\n# /, ''), ' ').map((row) => {
    const place = `${row.be_name}/${row.srv_name}`;
    const flags = Number(row.srv_admin_state);
    const stats = sessions.get(place);
    return {
      backend: row.be_name ?? '',
      server: row.srv_name ?? '',
      admin: flags & MAINTENANCE ? 'maint' : flags & DRAIN ? 'drain' : 'ready',
      weight: Number(row.srv_uweight),
      running: Number(row.srv_op_state) === RUNNING,
      sessions: Number(stats?.scur ?? 0) + Number(stats?.qcur ?? 0),
      check: [stats?.check_status, stats?.last_chk].filter(Boolean).join(' '),
    };
  });
}

/** The counters of backends and servers. Sessions are what HAProxy counts: requests where it speaks HTTP. */
export const readTraffic = (stat: string): TrafficRow[] =>
  table(stat.replace(/^# /, ''), ',').map((row) => ({
    backend: row.pxname ?? '',
    server: row.svname === 'BACKEND' ? null : (row.svname ?? ''),
    connections: Number(row.stot ?? 0),
    active: Number(row.scur ?? 0),
    inactive: 0,
    packetsIn: null,
    packetsOut: null,
    bytesIn: Number(row.bin ?? 0),
    bytesOut: Number(row.bout ?? 0),
  }));

/** Rows of a table whose first line names the columns. */
function table(text: string, separator: string): Record<string, string | undefined>[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line !== '');
  const columns = head.split(separator);
  return lines.map((line) => {
    const cells = line.split(separator);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]]));
  });
}

/** The dump without the seconds since each last change, which say nothing new. */
const withoutAges = (dump: string): string =>
  dump
    .split('\n')
    .map((line) =>
      line
        .split(' ')
        .filter((_, column) => column !== AGE_COLUMN)
        .join(' '),
    )
    .join('\n');
const AGE_COLUMN = 9;

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw err;
  }
}
