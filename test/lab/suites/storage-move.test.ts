/**
 * A storage goes from a node of the cluster to a server that somebody else runs, and back into another folder, while
 * two nodes read and write: no read fails, nothing that was written is lost, and every byte is the same.
 */
import { beforeAll, expect, it } from 'vitest';
import type { StoragePlace } from '../../../protocol/resources/storage.ts';
import type { EventLine } from '../../../protocol/views.ts';
import { until } from '../../support/until.ts';
import { useLab } from '../use-lab.ts';
import { furnish, webNode } from '../web.ts';

const HOME = '/chroot/home';
const webs = ['w1', 'w2'];

const lab = useLab({
  nodes: [
    { name: 'nas', roles: ['storage'], data: 64, parameters: { nfsLease: 10, nfsGrace: 10 } },
    { name: 'ext', data: 64 },
    ...webs.map((name) => webNode(name)),
  ],
});

const box = (name: string) => lab().box(name);
const on = async (name: string, script: string, timeout = 60_000) =>
  (await box(name).run(script, { timeout })).trim();
const onWebs = (script: (name: string) => string) => Promise.all(webs.map((name) => on(name, script(name))));

/** As its owner would make it: nothing of Evenkeel is asked to. */
const EXTERNAL = `modprobe nfsd; mount -t tmpfs tmp /var/lib/nfs
mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs; touch /var/lib/nfs/etab /var/lib/nfs/rmtab
mkdir -p /data/vol; mount -t nfsd nfsd /proc/fs/nfsd
echo 10 >/proc/fs/nfsd/nfsv4leasetime; echo 10 >/proc/fs/nfsd/nfsv4gracetime
exportfs -i -o rw,sync,no_root_squash,no_subtree_check,fsid=0 10.77.0.0/24:/data
rpc.mountd -N 3; rpc.nfsd -N 3 4`;

/** What a node does all the time: reads what all share, writes what is its own, and keeps count of both. */
const LOAD = (name: string) => `mkdir -p ${HOME}/${name}; rm -f /tmp/stop; cat >/tmp/load.sh <<'END'
i=0
while [ ! -e /tmp/stop ]; do
  i=$((i + 1))
  v=; read -r v <${HOME}/steady; [ "$v" = steady ] || echo "$i $v" >>/tmp/unread
  f=f$((i % 20))
  if { echo $i >${HOME}/${name}/$f; } 2>/dev/null; then echo "$f $i" >>/tmp/written; else echo $i >>/tmp/unwritten; fi
  sleep 1
done
END
sh /tmp/load.sh >/dev/null 2>&1 &
sleep 1`;
const lost = (name: string) => `awk '{ v[$1] = $2 } END { for (f in v) print f, v[f] }' /tmp/written |
while read f v; do [ "$(cat ${HOME}/${name}/$f)" = "$v" ] || echo "$f is not $v"; done`;
const SUMS = `cd ${HOME}/tree && find . -type f | sort | xargs sha256sum | sha256sum; find . | wc -l`;
const count = (file: string) => `cat ${file} 2>/dev/null | wc -l`;

/** Each node has it as it is declared now; a node that has not yet is refused as the one that copies. */
async function allReady(): Promise<void> {
  let said = '';
  const isReady = async () => {
    const { mounts } = await lab().api.call('storage', { params: { name: 'home' } });
    said = mounts.map(({ node, state, why }) => `${node} ${state} ${why}`).join('; ');
    return mounts.length === webs.length && mounts.every(({ state }) => state === 'ready');
  };
  await until('every node has it', isReady, 90_000).catch((err: Error) => {
    throw new Error(`${err.message}: ${said}`);
  });
}

async function move(to: StoragePlace, by: string): Promise<EventLine> {
  const { api } = lab();
  const { move: begun } = await api.call('storageMove', {
    params: { name: 'home' },
    body: { to, by, compareWithin: '30m' },
  });
  const ended = async () => {
    const { items } = await api.call('events', { query: { type: 'storage', limit: 100 } });
    return items.find(
      ({ type, data }) =>
        ['storage.moved', 'storage.reverted'].includes(type) && (data as { id: string }).id === begun?.id,
    );
  };
  await until('the move has ended', async () => (await ended()) !== undefined, 400_000);
  return (await ended()) as EventLine;
}

beforeAll(async () => {
  await Promise.all([on('nas', 'mkdir -p /data/home /data/again'), on('ext', EXTERNAL)]);
  await furnish(webs.map(box), lab().folder);
  const spec = { server: { node: 'nas' }, export: '/data/home', mountpoint: HOME };
  await lab().apply([{ kind: 'Storage', name: 'home', spec }]);
  await allReady();
  await on(
    'w1',
    `echo steady >${HOME}/steady; mkdir ${HOME}/tree; cd ${HOME}/tree
    for d in 1 2 3 4 5; do mkdir $d; for f in 1 2 3 4 5 6; do head -c 20000 /dev/urandom >$d/$f; done; done
    ln 1/1 1/hard; ln -s 1/2 soft; chown games 2/1; chmod 0600 2/2; sync -f .`,
  );
}, 240_000);

const places: [string, () => StoragePlace, string][] = [
  ['to a server that somebody else runs', () => ({ server: box('ext').address, export: '/vol' }), 'w1'],
  ['and back to a node of the cluster', () => ({ server: { node: 'nas' }, export: '/data/again' }), 'w2'],
];

it.each(places)(
  '[3.7] a storage moves under load, %s: no read fails, and nothing written is lost',
  async (_, to, by) => {
    await allReady();
    const before = await on('w2', SUMS);
    await onWebs((name) => `rm -f /tmp/written /tmp/unread /tmp/unwritten; ${LOAD(name)}`);
    const end = await move(to(), by);
    expect(end.message).toContain('has moved to');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await onWebs(() => 'touch /tmp/stop; sleep 1');
    const source =
      typeof to().server === 'string'
        ? `${box('ext').address}:${to().export}`
        : `${box('nas').address}:${to().export}`;
    expect(await onWebs(() => `grep " ${HOME} " /proc/self/mounts | tail -1 | cut -d" " -f1`)).toEqual(
      webs.map(() => source),
    );
    expect(await onWebs(() => 'cat /tmp/unread 2>/dev/null || true')).toEqual(['', '']);
    expect(await onWebs(lost)).toEqual(['', '']);
    expect(await onWebs(() => SUMS)).toEqual(webs.map(() => before));
    const [written, refused] = await Promise.all([
      onWebs(() => count('/tmp/written')),
      onWebs(() => count('/tmp/unwritten')),
    ]);
    expect(written.every((number) => Number(number) > 0)).toBe(true);
    const { seconds } = end.data as { seconds: number };
    process.stdout.write(
      `storage-move ${_}: read-only for ${seconds} s; written ${written.join('/')}, refused meanwhile ${refused.join('/')}, failed reads 0\n`,
    );
  },
  420_000,
);

it('[3.7] the old server still has every file, as it was', async () => {
  expect(await on('nas', 'cat /data/home/steady')).toBe('steady');
  expect(await on('ext', 'cat /data/vol/steady; ls -A /data/vol')).not.toContain('.evenkeel-move');
});
