/** `nfsd 8 lease 30 grace 30`: the kernel's file server runs, NFS 4 alone, with so many threads. */
import { existsSync } from 'node:fs';
import type { Hands, Look, Thing } from './thing.ts';
import type { Words } from './words.ts';

const FOLDER = '/proc/fs/nfsd';

const threadsNow = (look: Look): number => Number(look.read(`${FOLDER}/threads`) ?? 0);

/** Times can be set while nothing runs yet: `lease` is how often clients speak, `grace` how long they may claim after a start; the kernel takes 10 at least. */
async function start(threads: number, times: [file: string, seconds: number][], hands: Hands, look: Look) {
  if (!existsSync(`${FOLDER}/threads`)) {
    if (!existsSync('/sys/module/nfsd')) await hands.call(['modprobe', 'nfsd']);
    if (!existsSync(`${FOLDER}/threads`)) await hands.call(['mount', '-t', 'nfsd', 'nfsd', FOLDER]);
  }
  if (threadsNow(look) === 0)
    for (const [file, seconds] of times) await hands.write(`${FOLDER}/${file}`, String(seconds));
  await hands.call(['rpc.nfsd', '-N', '3', String(threads)], { timeout: 20_000 });
}

export function parseNfsd(words: Words): Thing {
  const threads = words.number('a number of threads', 1, 4096);
  const seconds = (what: string) => (words.maybe(what) ? words.number('seconds', 10, 3600) : 90);
  const times: [string, number][] = [
    ['nfsv4leasetime', seconds('lease')],
    ['nfsv4gracetime', seconds('grace')],
  ];
  return {
    id: 'nfsd',
    needs: [{ list: 'modules', value: 'nfsd' }],
    found: async (look) => {
      const now = threadsNow(look);
      if (now === threads) return null;
      return now === 0 ? '' : `nfsd ${now}`;
    },
    former: async (look) => String(threadsNow(look)),
    make: (hands, look) => start(threads, times, hands, look),
    undo: async (hands, look, former) => {
      const before = former ?? '0';
      if (threadsNow(look) !== Number(before)) await hands.call(['rpc.nfsd', before], { timeout: 20_000 });
    },
  };
}
