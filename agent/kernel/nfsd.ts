/** `nfsd 8 lease 30 grace 30 host 10.0.0.40`: the kernel's file server runs, NFS 4 alone, with so many threads, at one address. */
import { isIPv4 } from 'node:net';
import { endianness } from 'node:os';
import type { Hands, Look, Thing } from './thing.ts';
import type { Words } from './words.ts';

const FOLDER = '/proc/fs/nfsd';
const START_MS = 20_000;
/** The kernel lists those that listen before all connections, of which there may be very many. */
const LISTENERS = 64 * 1024;
/** 2049, as the kernel lists it, of a socket that listens. */
const LISTENS = /^ *\d+: ([0-9A-F]+):0801 [0-9A-F]+:0000 0A /;

const threadsNow = (look: Look): number => Number(look.read(`${FOLDER}/threads`) ?? 0);

function addressIn(hex: string): string {
  const bytes = hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  return (endianness() === 'LE' ? bytes.reverse() : bytes).join('.');
}

/** Its own list of listeners (`portlist`) has no addresses, so the network's is read. */
function hostsNow(look: Look): string[] {
  const listening = (file: string) =>
    (look.read(file, LISTENERS) ?? '').split('\n').flatMap((line) => LISTENS.exec(line)?.[1] ?? []);
  const v6 = listening('/proc/net/tcp6').map(() => 'IPv6');
  return [...new Set([...listening('/proc/net/tcp').map(addressIn), ...v6])].sort();
}

type Times = readonly [word: string, file: string, flag: string, seconds: number][];

interface Wanted {
  threads: number;
  times: Times;
  host: string | null;
}

/** What only a start can change. Null when all of it is right. */
function otherwise({ times, host }: Wanted, look: Look): string | null {
  const now = times.map(([word, file]) => [word, look.read(`${FOLDER}/${file}`)] as const);
  const hosts = hostsNow(look);
  const isTimed = times.every(([, , , seconds], index) => (now[index]?.[1] ?? `${seconds}`) === `${seconds}`);
  if (isTimed && (host === null || hosts.join() === host)) return null;
  return [...now.map((one) => one.join(' ')), `host ${hosts.join(',') || 'none'}`].join(' ');
}

/** What the last start has not changed, such as another program at the port: clients are not made to wait for that again. */
const inVain = new Set<string>();

async function start(wanted: Wanted, hands: Hands, look: Look): Promise<void> {
  const { threads, times, host } = wanted;
  if (look.read(`${FOLDER}/threads`) === null) {
    if (look.list('/sys/module/nfsd').length === 0) await hands.call(['modprobe', 'nfsd']);
    if (look.read(`${FOLDER}/threads`) === null) await hands.call(['mount', '-t', 'nfsd', 'nfsd', FOLDER]);
  }
  const other = otherwise(wanted, look);
  // Listeners and times stand from its start to its end. Clients wait meanwhile, and claim again what they had open.
  if (threadsNow(look) > 0 && other !== null && !inVain.has(other))
    await hands.call(['rpc.nfsd', '0'], { timeout: START_MS });
  const given = times.flatMap(([, , flag, seconds]) => [flag, String(seconds)]);
  const at = host === null ? [] : ['-H', host];
  await hands.call(['rpc.nfsd', '-N', '3', ...given, ...at, String(threads)], { timeout: START_MS });
  inVain.clear();
  const left = otherwise(wanted, look);
  if (left !== null) inVain.add(left);
}

export function parseNfsd(words: Words): Thing {
  const threads = words.number('a number of threads', 1, 4096);
  /** The kernel takes 10 at least: `lease` is how often clients speak, `grace` how long they may claim after a start. */
  const seconds = (what: string) => (words.maybe(what) ? words.number('seconds', 10, 3600) : 90);
  const times: Times = [
    ['lease', 'nfsv4leasetime', '-L', seconds('lease')],
    ['grace', 'nfsv4gracetime', '-G', seconds('grace')],
  ];
  const host = words.maybe('host') ? words.take('the IPv4 address at which it listens', isIPv4) : null;
  const wanted = { threads, times, host };
  return {
    id: 'nfsd',
    needs: [{ list: 'modules', value: 'nfsd' }],
    found: async (look) => {
      const now = threadsNow(look);
      if (now === 0) return '';
      const other = otherwise(wanted, look);
      if (other !== null) return `nfsd ${now} ${other}`;
      return now === threads ? null : `nfsd ${now}`;
    },
    former: async (look) => String(threadsNow(look)),
    make: (hands, look) => start(wanted, hands, look),
    undo: async (hands, look, former) => {
      const before = former ?? '0';
      if (threadsNow(look) !== Number(before)) await hands.call(['rpc.nfsd', before], { timeout: START_MS });
    },
  };
}
