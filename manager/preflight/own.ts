/** The doctor's look at the manager itself: its doors, its disk, its certificates, its last backup. */
import { fail, pass, skip, warn } from '../../common/findings.ts';
import type { Reach } from '../../common/reach.ts';
import type { Finding } from '../../protocol/preflight.ts';
import type { NodeView } from '../../protocol/views.ts';

export interface Own {
  address: string;
  ports: { api: number; machines: number; broker: number };
  now: number;
  /** Bytes left for the store; null where nobody can say. */
  free: number | null;
  /** When the certificate of its own doors ends, and its authority. */
  ends: { server: number; authority: number };
  nodes: readonly Pick<NodeView, 'name' | 'online' | 'certificateExpires'>[];
  /** When the last backup was taken, as far as events reach back. */
  backup: string | undefined;
}

const DAY = 86_400_000;
const MIB = 1024 * 1024;

export async function doors({ address, ports }: Own, reach: Reach): Promise<Finding> {
  const each = Object.entries(ports).map(async ([what, port]) => ({
    what,
    port,
    why: await reach(address, port),
  }));
  const tried = await Promise.all(each);
  const shut = tried.filter(({ why }) => why !== null);
  const said = (list: typeof tried) => list.map(({ port, what }) => `${port} (${what})`).join(', ');
  if (shut.length === 0) return pass('doors', `${address} answers at ${said(tried)}`);
  return fail('doors', `${address} does not answer at ${said(shut)}: ${shut[0]?.why}`, {
    why: 'nodes hear nothing new',
    fix: 'see the log of the manager, and start it again',
    command: 'journalctl -u evenkeel-manager -n 50',
  });
}

export function disk({ free }: Own): Finding {
  if (free === null) return skip('disk', 'nobody can say how much is free');
  const found = `${Math.round(free / MIB)} MiB free for the store`;
  const help = { fix: 'make room where the store is', command: 'df -h' };
  if (free < 256 * MIB) return fail('disk', found, { why: 'a change could not be kept', ...help });
  if (free < 1024 * MIB) return warn('disk', found, { why: 'the journal and backups soon fill it', ...help });
  return pass('disk', found);
}

const days = (ms: number) => `${Math.floor(ms / DAY)} days`;

export function certificates({ ends, now, nodes }: Own): Finding {
  const over = nodes.filter(({ certificateExpires: at }) => at !== null && Date.parse(at) <= now);
  const [server, authority] = [ends.server - now, ends.authority - now];
  if (server <= 0 || authority <= 0)
    return fail('certificates', `the ${server <= 0 ? "manager's certificate" : 'authority'} has ended`, {
      why: 'nobody believes the manager',
      fix: 'set the clock of the manager right, and start it again: it renews what it can',
      command: 'systemctl restart evenkeel-manager',
    });
  if (over.length > 0)
    return warn('certificates', `ended: ${over.map(({ name }) => name).join(', ')}`, {
      why: 'these nodes do not hear the manager until they renew, by proof of their key',
      fix: 'see why their agents do not run, and their clocks',
    });
  return pass(
    'certificates',
    `the manager's holds for ${days(server)}, the authority for ${days(authority)}`,
  );
}

export function backup({ backup: at, now }: Own): Finding {
  const help = {
    why: 'what is declared since then would be lost with the disk of the manager',
    fix: 'take one, and keep it on another box',
    command: 'evenkeel backup FILE',
  };
  if (at === undefined) return warn('backup', 'no backup is known of', help);
  const age = now - Date.parse(at);
  return age > 7 * DAY
    ? warn('backup', `the last one is ${days(age)} old`, help)
    : pass('backup', `taken at ${at}`);
}

/** @param ahead how far the clock of each node that was asked is ahead, in milliseconds */
export function clock(ahead: readonly number[]): Finding {
  if (ahead.length < 2) return skip('clock', 'it takes two nodes to tell whose clock is wrong');
  const sorted = [...ahead].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const isOneSided = sorted.every((one) => Math.abs(one) > 2_000 && Math.sign(one) === Math.sign(middle));
  if (!isOneSided)
    return pass('clock', `that of ${ahead.length} nodes agrees, as far as it is judged at each`);
  const seconds = Math.round(Math.abs(middle) / 1000);
  return warn('clock', `all nodes say that the manager is ${seconds} s ${middle > 0 ? 'behind' : 'ahead'}`, {
    why: 'certificates and reports bear a wrong time',
    fix: 'set the clock of the manager, and keep it right by NTP',
    command: 'timedatectl set-ntp true',
  });
}
