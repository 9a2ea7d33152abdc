/** From bare Debians with systemd to a cluster that serves: one command for the manager, one pasted line for a node. */
import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import type { Guest } from '../guest.ts';
import { checkout } from '../host.ts';
import { offerPackages, useOffered } from '../packages.ts';
import { roots } from '../roots.ts';
import { useBoxes } from '../use-lab.ts';

const { root, packages } = roots();
/** A release of 140 MB lies on it twice while it is put in place. */
const bare = { root, disk: 1500 };
const boxes = useBoxes([
  { name: 'm1', mem: 512, ...bare },
  { name: 'w1', ...bare },
  { name: 'k1', ...bare },
]);
const m1 = () => boxes().box('m1');
const w1 = () => boxes().box('w1');
const k1 = () => boxes().box('k1');

/** Boxes are slow: each process of an installer costs 0.1 s. */
const INSTALL_MS = 600_000;
const install = (box: Guest, words: string) => box.sh(`sh ${words}`, { timeout: INSTALL_MS });

let withdraw: () => void = () => undefined;
beforeAll(async () => {
  execFileSync(process.execPath, [join(checkout, 'scripts', 'release.mjs')], { stdio: 'inherit' });
  cpSync(join(checkout, 'dist', 'release'), join(m1().folder, 'release'), { recursive: true });
  withdraw = await offerPackages(packages);
  await Promise.all(boxes().all.map(useOffered));
}, 120_000);
afterAll(() => withdraw());

/** All that an installer could change: files that are not the box's own doing while it runs. */
const state = (box: Guest) =>
  box.run(
    `find /etc /usr /var/lib /root -xdev -path /var/lib/evenkeel-manager -prune -o -path /var/lib/evenkeel -prune -o -path /var/lib/systemd -prune -o -printf '%p %T@ %s %m %l\\n' | sort | sha256sum`,
    { timeout: 120_000 },
  );

const site = (address: string) =>
  new Promise<string>((resolve) => {
    const asked = get(
      { host: address, port: 80, headers: { host: 'www.example.org' }, timeout: 3000 },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve(`${answer.statusCode} ${text.trim()}`));
      },
    );
    asked.on('timeout', () => asked.destroy());
    asked.on('error', (err) => resolve(err.message));
  });

it('[4.1] a dry run says what would be done on a bare box, and does nothing', async () => {
  const before = await state(m1());
  const { code, stdout, stderr } = await install(
    m1(),
    '/lab/release/install.sh manager --address 10.77.0.11 --dry-run',
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('would install packages: libsqlite3-0');
  expect(await state(m1())).toBe(before);
}, 300_000);

it('[4 must show] a manager is installed with one command, and the second run changes nothing', async () => {
  const began = performance.now();
  const first = await install(m1(), '/lab/release/install.sh manager --address 10.77.0.11 --yes');
  expect(first.code, first.stdout + first.stderr).toBe(0);
  process.stdout.write(`manager: ${((performance.now() - began) / 1000).toFixed(1)} s\n${first.stdout}`);
  const before = await state(m1());
  const second = await install(m1(), '/lab/release/install.sh manager --yes');
  expect([second.code, second.stdout]).toEqual([0, expect.stringMatching(/^Nothing to change\.\n/)]);
  expect(await state(m1())).toBe(before);
  expect((await m1().run('systemctl show -p User --value evenkeel-manager')).trim()).toBe('evenkeel');
}, 1_300_000);

/** The whole way of one box whose installer is killed again and again, the last run excepted. */
async function killTenTimes(): Promise<{ seconds: string[]; code: number; said: string }> {
  writeFileSync(join(k1().folder, 'line.sh'), await lineFor('k1'));
  const seconds: string[] = [];
  for (let nth = 0; nth < 10; nth += 1) {
    const after = (0.5 + Math.random() * (4 + nth * 2)).toFixed(1);
    const { code } = await k1().sh(`timeout -s KILL ${after} sh /lab/line.sh`, { timeout: INSTALL_MS });
    if (code === 137) seconds.push(after);
    // Either the box has a whole release in its place, or none; never half of one.
    await k1().run(
      'for folder in /usr/lib/evenkeel/releases/[0-9]*; do [ ! -d "$folder" ] || (cd "$folder" && sha256sum -c --quiet SHA256SUMS); done',
      { timeout: 120_000 },
    );
  }
  const { code, stdout, stderr } = await k1().sh('sh /lab/line.sh', { timeout: INSTALL_MS });
  return { seconds, code, said: stdout + stderr };
}
let killedTenTimes: ReturnType<typeof killTenTimes>;

/** The line that the manager prints for a new box. */
async function lineFor(name: string): Promise<string> {
  const said = await m1().run(`evenkeel node invite --role web --name ${name}`);
  const line = said.split('\n').find((text) => text.startsWith('D=$(mktemp')) ?? '';
  expect(line, said).toContain('install.sh agent --join');
  return `${line} --yes\n`;
}

it('[4 must show] from a bare Debian to joined and serving in one pasted line; the second run changes nothing', async () => {
  const document = `kind: Site\\nname: www.example.org\\nspec: { root: /srv/www, defaultServer: true }\\n`;
  await m1().run(`printf '${document}' >/root/site.yaml; evenkeel apply -f /root/site.yaml`);
  await w1().run('mkdir -p /srv/www; echo hello from w1 >/srv/www/index.html');
  writeFileSync(join(w1().folder, 'line.sh'), await lineFor('w1'));
  // Two boxes at once: each takes minutes, and a machine has more than one core.
  killedTenTimes = killTenTimes();
  killedTenTimes.catch(() => undefined);
  const began = performance.now();
  const joined = await w1().sh('sh /lab/line.sh', { timeout: INSTALL_MS });
  expect(joined.code, joined.stdout + joined.stderr).toBe(0);
  await until('it serves', async () => (await site(w1().address)) === '200 hello from w1', 60_000);
  process.stdout.write(`node: ${((performance.now() - began) / 1000).toFixed(1)} s\n${joined.stdout}`);
  expect(await m1().run('evenkeel nodes')).toContain('w1');
  expect(await w1().run('systemctl show -p ActiveState --value evenkeel@nginx')).toBe('active\n');
  const before = await state(w1());
  const again = await w1().sh('sh /lab/line.sh', { timeout: INSTALL_MS });
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('Nothing to change.')]);
  expect(await state(w1())).toBe(before);
}, 1_300_000);

it('[4.1] the agent comes back with the box, is ended when it hangs, and what it looks after goes on without it', async () => {
  await w1().run('sync');
  await w1().powerCut();
  await w1().boot();
  await until('it serves again', async () => (await site(w1().address)) === '200 hello from w1', 120_000);
  const nginx = () => w1().run('systemctl show -p MainPID --value evenkeel@nginx');
  const own = await nginx();
  expect(Number(own)).toBeGreaterThan(1);
  await w1().run('systemctl kill --signal=STOP evenkeel-agent');
  await until(
    'systemd has ended it and started another',
    async () => Number(await w1().run('systemctl show -p NRestarts --value evenkeel-agent')) > 0,
    180_000,
  );
  expect([await site(w1().address), await nginx()]).toEqual(['200 hello from w1', own]);
}, 600_000);

it('[4 must show] an installer that is killed at ten random points, each time run again, ends joined', async () => {
  const { seconds, code, said } = await killedTenTimes;
  process.stdout.write(`killed after ${seconds.join(', ')} s\n`);
  expect(code, said).toBe(0);
  const isConnected = async () => (await m1().run('evenkeel -o json nodes')).includes('"name": "k1"');
  await until('it is connected', isConnected, 60_000);
  expect((await k1().run('systemctl is-active evenkeel-agent')).trim()).toBe('active');
  expect((await k1().sh('ls /var/lib/evenkeel-install /usr/sbin/policy-rc.d')).stdout).toBe('');
}, 1_300_000);

it('[4.1] uninstalled, nothing of it is left', async () => {
  for (const box of [...boxes().all].reverse()) {
    const { code, stdout, stderr } = await install(
      box,
      '/usr/lib/evenkeel/current/install.sh uninstall --yes',
    );
    expect(code, stdout + stderr).toBe(0);
    const left = await box.run(
      `find /etc /usr /var /run /root -xdev \\( -path /lab -o -path '/var/log/journal' \\) -prune -o -iname '*evenkeel*' -print`,
    );
    expect(left).toBe('');
    expect((await box.sh('systemctl is-active evenkeel-agent evenkeel-manager evenkeel@nginx')).stdout).toBe(
      'inactive\ninactive\ninactive\n',
    );
    expect((await box.sh('grep ":0050 .* 0A" /proc/net/tcp')).stdout).toBe('');
  }
}, 300_000);
