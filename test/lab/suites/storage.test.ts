/**
 * NFS between boxes: what one node writes the others read at once; a file server that loses power loses nothing that was
 * synced; one that hangs is told of, and hangs no agent; quotas are set and hold.
 */
import { beforeAll, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { useLab } from '../use-lab.ts';
import { furnish, site, webNode, webService } from '../web.ts';

const HOME = '/chroot/home';
const webs = ['w1', 'w2'];

const storage = (spec: object = {}) => ({
  kind: 'Storage',
  name: 'home',
  spec: {
    server: { node: 'nas' },
    export: '/data/home',
    mountpoint: HOME,
    link: '/srv/shared',
    quotas: { games: { soft: '1m', hard: '2m' } },
    ...spec,
  },
});

const lab = useLab({
  nodes: [
    { name: 'nas', roles: ['storage'], data: 64, parameters: { nfsLease: 10, nfsGrace: 10 } },
    ...webs.map((name) => webNode(name, { parameters: { nodeHeader: true, nfsTimeo: 20 } })),
  ],
  documents: [site, webService()],
});

const box = (name: string) => lab().box(name);
const on = async (name: string, script: string, timeout = 30_000) =>
  (await box(name).run(script, { timeout })).trim();

/** What the manager thinks of a member, by what its node says of itself. */
async function opinionOf(name: string): Promise<string> {
  const { items } = await lab().api.call('pools');
  return items[0]?.members.find(({ node }) => node === name)?.wanted.opinion ?? 'none';
}

async function checkOf(name: string, check: string): Promise<string | undefined> {
  const { items } = await lab().api.call('nodes');
  const checks = items.find((node) => node.name === name)?.checks ?? [];
  return checks.find((one) => one.check === check)?.state;
}

const areAll = (state: 'up' | 'down') => async () =>
  (await Promise.all(webs.map(opinionOf))).every((opinion) => opinion === state);

beforeAll(async () => {
  await on('nas', 'mkdir -p /data/home/games && chown games /data/home/games');
  await furnish(webs.map(box), lab().folder);
  await lab().apply([storage()]);
  await lab().settled();
  const isMounted = async (name: string) => (await checkOf(name, 'mount.home')) === 'up';
  await until(
    'every node has it mounted',
    async () => (await Promise.all(webs.map(isMounted))).every(Boolean) && (await areAll('up')()),
    60_000,
  );
}, 150_000);

it('[3.7] what one node writes, the others and the server read at once, through the link as well', async () => {
  await on('w1', 'echo written by w1 >/srv/shared/index.html');
  expect(await on('w2', 'cat /srv/shared/index.html')).toBe('written by w1');
  await on('w2', `mv /srv/shared/index.html ${HOME}/moved.html`);
  expect(await on('w1', 'cat /srv/shared/moved.html')).toBe('written by w1');
  expect(await on('nas', 'cat /data/home/moved.html')).toBe('written by w1');
  expect(await on('w1', 'readlink /srv/shared')).toBe(HOME);
});

it('[3.7] the exports are for the nodes that mount, and for nobody else', async () => {
  const clients = (await on('nas', 'cut -f2 /var/lib/nfs/etab | cut -d"(" -f1 | sort -u')).split('\n');
  expect(clients).toEqual(['10.77.0.12/32', '10.77.0.13/32']);
  expect(await on('nas', 'cat /proc/fs/nfsd/versions')).toMatch(/-3 .*\+4/);
  const listening = (await on('nas', "ss -Hltn 'sport = :2049'")).split('\n');
  expect(listening.map((line) => line.split(/ +/)[3])).toEqual(['10.77.0.11:2049']);
});

it('[3.7] a storage whose options change is mounted anew without a moment in which it is not there', async () => {
  // Every two milliseconds, and no faster: the agent is to have the box's one processor as well.
  const reader = `const fs = require('node:fs');
setInterval(() => {
  if (fs.existsSync('/tmp/stop')) process.exit();
  let text = '';
  try { text = fs.readFileSync('${HOME}/here', 'utf8'); } catch {}
  if (text !== 'here\\n') fs.appendFileSync('/tmp/missed', 'missed\\n');
}, 2);`;
  const read = `rm -f /tmp/stop /tmp/missed; cat >/tmp/read.cjs <<'END'
${reader}
END
(${process.execPath} /tmp/read.cjs >/dev/null 2>&1 &)`;
  await on('w1', `echo here >${HOME}/here`);
  await Promise.all(webs.map((name) => on(name, read)));
  await lab().apply([storage({ options: { timeo: 70 } })]);
  const mounted = (name: string) => on(name, `grep " ${HOME} nfs4 " /proc/self/mounts | tail -1`);
  await until(
    'they have it',
    async () => (await Promise.all(webs.map(mounted))).every((line) => line.includes('timeo=70,')),
    60_000,
  );
  expect(
    await Promise.all(webs.map((name) => on(name, 'touch /tmp/stop; cat /tmp/missed 2>/dev/null || true'))),
  ).toEqual(['', '']);
  await on('w2', `while umount -l ${HOME} 2>/dev/null; do :; done`);
  const layers = () => on('w2', `grep -c " ${HOME} nfs4 " /proc/self/mounts || true`);
  await until('what a hand has taken away is mounted once', async () => (await layers()) === '1', 30_000);
  await until('all are in', areAll('up'), 30_000);
}, 180_000);

it('[3.7] quotas are set on the server, hold for writers on every node, and come back after a hand', async () => {
  const write =
    'su -s /bin/sh games -c "dd if=/dev/zero of=/srv/shared/games/big bs=64k count=64 conv=fsync" 2>&1 || true';
  expect(await on('w1', write)).toMatch(/quota exceeded/i);
  await on('w1', 'rm /srv/shared/games/big');
  await on('nas', 'setquota -u games 0 0 0 0 /data');
  await until(
    'it is set again',
    async () => /games.* 1024 +2048/.test(await on('nas', 'repquota -u /data')),
    30_000,
  );
});

it('[3.7] a file server that hangs is told of by each of its nodes, hangs no agent, and all comes back', async () => {
  box('nas').freeze();
  await until('all say so', areAll('down'), 40_000);
  expect(await checkOf('w1', 'mount.home')).toBe('down');
  // The agents go on: what a hand undoes elsewhere is put right while the mount hangs.
  await on('w1', 'echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore');
  await until(
    'the setting is right again',
    async () => (await on('w1', 'cat /proc/sys/net/ipv4/conf/all/arp_ignore')) === '1',
    20_000,
  );
  box('nas').thaw();
  await until('all are well again', areAll('up'), 60_000);
}, 130_000);

it('[3.7] a file server that loses its power loses nothing that was synced; who writes waits and goes on', async () => {
  await on('w1', 'echo safe >/srv/shared/safe && sync /srv/shared/safe');
  await box('nas').powerCut();
  const late = on(
    'w2',
    'echo late >/srv/shared/late && sync /srv/shared/late && cat /srv/shared/late',
    110_000,
  );
  await box('nas').boot();
  expect(await late).toBe('late');
  expect(await on('w2', 'cat /srv/shared/safe')).toBe('safe');
  expect(await on('w1', 'cat /srv/shared/late')).toBe('late');
  await until('all are in', areAll('up'), 60_000);
}, 180_000);

it('[3.7] a storage that goes is unmounted, its link is undone, and its data stay', async () => {
  await on('w1', 'cd /srv/shared && (sleep 300 >/dev/null 2>&1 &)');
  await lab().api.call('delete', { params: { kind: 'Storage', name: 'home' }, query: { force: true } });
  const isGone = async (name: string) =>
    (await on(name, `grep -c " ${HOME} " /proc/self/mountinfo || true`)) === '0';
  await until('nobody has it', async () => (await isGone('w1')) && (await isGone('w2')), 60_000);
  expect(await on('w2', 'test -L /srv/shared && echo link || echo none')).toBe('none');
  expect(await on('nas', 'cat /data/home/safe')).toBe('safe');
  const exports = () => on('nas', 'cat /var/lib/nfs/etab');
  await until('it is exported no more', async () => !(await exports()).includes('/data/home'), 30_000);
}, 90_000);
