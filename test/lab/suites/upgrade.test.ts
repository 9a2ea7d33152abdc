/**
 * Three boxes with systemd that were installed by the installer: made newer under load, a release that does not come up,
 * a join string in the wrong hands, and a node that is removed while it is dead.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { createAuthority } from '../../support/courier.ts';
import { until } from '../../support/until.ts';
import type { Guest } from '../guest.ts';
import { run } from '../host.ts';
import { HOST } from '../lan.ts';
import { overHttp, type Sample, startLoad } from '../load.ts';
import { layRelease, makeReleases } from '../releases.ts';
import { roots } from '../roots.ts';
import { useBoxes } from '../use-lab.ts';
import { site, VIP, webService } from '../web.ts';

const box = { root: roots().furnished, disk: 1800 };
const boxes = useBoxes([
  { name: 'm1', mem: 512, ...box },
  { name: 'w1', ...box },
  { name: 'w2', ...box },
]);
const [m1, w1, w2] = ['m1', 'w1', 'w2'].map((name) => () => boxes().box(name)) as [
  () => Guest,
  () => Guest,
  () => Guest,
];

const LONGEST_MS = 600_000;
/** A release that starts on a box where this file is, and nowhere else. */
const SPARED = '/etc/lab-spared';
const version = (to: string) => ({
  file: 'package.json',
  change: (text: string) => text.replace(/"version": "[^"]*"/, `"version": "${to}"`),
});
const broken = {
  file: 'agent/main.ts',
  change: (text: string) =>
    `import { existsSync } from 'node:fs';\nif (process.argv[2] === 'run' && !existsSync('${SPARED}')) throw new Error('this release does not start');\n${text}`,
};

let releases: string[] = [];
const sh = (one: Guest, script: string) => one.sh(script, { timeout: LONGEST_MS });
const evenkeel = async (words: string) => {
  const { code, stdout, stderr } = await sh(m1(), `evenkeel ${words}`);
  return { code, said: stdout + stderr, stdout };
};
interface Node {
  name: string;
  release: string;
  converged: boolean;
}
const nodes = async (): Promise<Node[]> => JSON.parse((await evenkeel('-o json nodes')).stdout) as Node[];
const releasesOf = async () =>
  Object.fromEntries((await nodes()).map(({ name, release }) => [name, release.replace(/-agent$/, '')]));
const idOf = (at: number) => run('cat', [join(releases[at] ?? '', 'RELEASE')]).trim();
const invite = async (words: string) => {
  const { said } = await evenkeel(`node invite ${words}`);
  const line = said.split('\n').find((text) => text.startsWith('D=$(mktemp')) ?? '';
  expect(line, said).toContain('install.sh agent --join');
  return { line: `${line} --yes\n`, string: / --join ([A-Za-z0-9_-]+)/.exec(line)?.[1] ?? '' };
};
/** The strings by which boxes have joined. */
const strings = new Map<string, string>();
const enter = async (one: Guest, words: string) => {
  const { line, string } = await invite(`--name ${one.name} ${words}`);
  strings.set(one.name, string);
  writeFileSync(join(one.folder, 'line.sh'), line);
  const { code, stdout, stderr } = await sh(one, 'sh /lab/line.sh');
  expect(code, stdout + stderr).toBe(0);
};
const upgradeManager = async (at: number) => {
  layRelease(releases[at] ?? '', m1().folder, 'release');
  const { code, stdout, stderr } = await sh(m1(), 'sh /lab/release/install.sh upgrade --yes');
  expect(code, stdout + stderr).toBe(0);
};
const failures = (samples: readonly Sample[]) => samples.filter(({ failed }) => failed !== undefined);
const underLoad = async <T>(work: () => Promise<T>): Promise<{ done: T; samples: Sample[] }> => {
  const load = startLoad(overHttp(`http://${VIP}/`), 200);
  try {
    const done = await work();
    return { done, samples: await load.stop() };
  } catch (err) {
    await load.stop();
    throw err;
  }
};
const secondsSince = (began: number) => ((performance.now() - began) / 1000).toFixed(0);

beforeAll(async () => {
  releases = makeReleases(join(boxes().folder, 'releases'), [version('0.1.1'), version('0.1.2'), broken]);
  // Version and breakage are two commits of the last release.
  releases.splice(2, 1);
  await m1().run(`touch ${SPARED}`);
  layRelease(releases[0] ?? '', m1().folder, 'release');
  const { code, stdout, stderr } = await sh(
    m1(),
    'sh /lab/release/install.sh manager --address 10.77.0.11 --yes',
  );
  expect(code, stdout + stderr).toBe(0);
  writeFileSync(join(m1().folder, 'cluster.json'), JSON.stringify([site, webService()]));
  await enter(m1(), `--role balancer --parameter vrrpInterface=vec0`);
  await Promise.all(
    [w1(), w2()].map(async (one) => {
      await one.run(`mkdir -p /srv/www; echo "this is ${one.name}" >/srv/www/index.html`);
      await enter(one, '--role web --parameter nodeHeader=true');
    }),
  );
  const applied = await evenkeel('apply -f /lab/cluster.json --wait');
  expect(applied.code, applied.said).toBe(0);
  await until(
    'both take visitors',
    async () => {
      const load = startLoad(overHttp(`http://${VIP}/`), 100);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const samples = await load.stop();
      return failures(samples).length === 0 && new Set(samples.map(({ node }) => node)).size === 2;
    },
    120_000,
  );
}, 1_800_000);

it('[4 must show] three nodes are made newer under steady load, wave by wave, and no request fails', async () => {
  const began = performance.now();
  const { done, samples } = await underLoad(async () => {
    await upgradeManager(1);
    return evenkeel('upgrade --yes');
  });
  process.stdout.write(
    `upgrade of manager and nodes: ${secondsSince(began)} s, ${samples.length} requests, ${failures(samples).length} failed\n${done.said}`,
  );
  expect(done.code, done.said).toBe(0);
  expect(failures(samples)).toEqual([]);
  expect(await releasesOf()).toEqual({ m1: idOf(1), w1: idOf(1), w2: idOf(1) });
  expect((await evenkeel('upgrade --yes')).said).toContain('every node runs');
}, 1_800_000);

it('[4 must show] a release whose agent does not start is taken back by itself, and the rollout stops there', async () => {
  const { done, samples } = await underLoad(async () => {
    await upgradeManager(2);
    return evenkeel('upgrade --yes');
  });
  process.stdout.write(`${samples.length} requests, ${failures(samples).length} failed\n${done.said}`);
  expect(done.code, done.said).toBe(8);
  expect(done.said).toContain('not begun: w2');
  expect(failures(samples)).toEqual([]);
  expect(await releasesOf()).toEqual({ m1: idOf(2), w1: idOf(1), w2: idOf(1) });
  expect((await w1().run('systemctl is-active evenkeel-agent')).trim()).toBe('active');
  // Mended, it goes on where it stopped.
  for (const one of [w1(), w2()]) await one.run(`touch ${SPARED}`);
  const again = await evenkeel('upgrade --yes');
  expect(again.code, again.said).toBe(0);
  expect(await releasesOf()).toEqual({ m1: idOf(2), w1: idOf(2), w2: idOf(2) });
}, 1_800_000);

/** As whoever has found the string would join with it, from w1. */
const steal = (string: string, more = '', name = 'thief') =>
  sh(
    w1(),
    `/usr/lib/evenkeel/current/bin/node /usr/lib/evenkeel/current/lib/agent.js join ${string} --name ${name} --address ${w1().address} --state /tmp/thief-$$ --wait 0s ${more} </dev/null`,
  );

it(
  '[4 must show] a stolen join string is refused: used before, from the wrong address, expired; and each is logged',
  async () => {
    const elsewhere = await invite('--role web --name thief --from 192.0.2.0/24');
    const old = await invite('--role web --name thief --hours 1');
    const refusals = [
      await steal(strings.get('w2') ?? '', '--yes', 'w2'),
      await steal(elsewhere.string, '--yes'),
    ];
    await m1().skew(2 * 3600);
    refusals.push(await steal(old.string, '--yes'));
    await m1().skew(0);
    for (const { code, stderr } of refusals)
      expect([code, stderr]).toEqual([1, expect.stringMatching(/invite-invalid|certificate/)]);
    const { stdout } = await evenkeel('-o json events --type join.refused');
    process.stdout.write(stdout);
    const told = stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { message: string }).message);
    expect(told.join('\n')).toContain(w1().address);
    expect((await nodes()).map(({ name }) => name)).not.toContain('thief');
  },
  LONGEST_MS,
);

it(
  '[4 must show] a man in the middle is found out before anything is sent to him',
  async () => {
    const { string } = await invite('--role web --name thief');
    const other = await createAuthority(join(boxes().folder, 'middle'));
    const { key, cert } = other.credentials.current();
    const heard: string[] = [];
    const middle = createServer({ key, cert }, (request, answer) => {
      heard.push(request.url ?? '');
      answer.end();
    });
    await new Promise<void>((resolve) => middle.listen(8443, '0.0.0.0', resolve));
    // What w1 sends to the manager comes here: he has the manager's address, and w1 takes the way by the lab's host.
    run('ip', ['address', 'add', `${m1().address}/32`, 'dev', 'lo']);
    await w1().run(`ip route replace ${m1().address}/32 via ${HOST}`);
    try {
      const { code, stderr } = await steal(string, '--yes');
      expect([code, stderr]).toEqual([1, expect.stringContaining('manager-untrusted')]);
      expect(heard).toEqual([]);
      const line = await sh(
        w1(),
        `curl -sS --cacert /var/lib/evenkeel/identity/ca.pem https://${m1().address}:8443/install.sh`,
      );
      expect([line.code, line.stderr]).toEqual([60, expect.stringContaining('certificate')]);
      expect(heard).toEqual([]);
      // With his own authority put into the string, it is his fingerprint that is shown, and nobody says yes to that.
      const invitation = JSON.parse(Buffer.from(string, 'base64url').toString()) as object;
      const swapped = Buffer.from(JSON.stringify({ ...invitation, ca: other.authority() })).toString(
        'base64url',
      );
      const shown = await steal(swapped);
      expect(shown.code).toBe(1);
      expect(shown.stderr).toContain('not-confirmed');
      expect(shown.stdout + shown.stderr).not.toContain((await evenkeel('node invites')).said.slice(0, 9));
      expect(heard).toEqual([]);
    } finally {
      await w1().run(`ip route del ${m1().address}/32 via ${HOST}`);
      run('ip', ['address', 'del', `${m1().address}/32`, 'dev', 'lo']);
      middle.close();
    }
  },
  LONGEST_MS,
);

it("[4 must show] a node that was removed while it was dead learns it when it boots, serves on, and gives back what was the cluster's", async () => {
  await w2().run('sync');
  await w2().powerCut();
  const removed = await evenkeel('node remove w2');
  expect(removed.code, removed.said).toBe(0);
  await w2().boot();
  interface Status {
    left: { done: boolean; why: string } | null;
    services: { unit: string; pid: number | null }[];
  }
  const status = async () =>
    JSON.parse((await sh(w2(), 'evenkeel -o json local status')).stdout || '{"left":null}') as Status;
  const began = performance.now();
  await until('w2 has left', async () => (await status()).left?.done === true, 240_000);
  process.stdout.write(
    `w2 has left ${secondsSince(began)} s after its boot\n${(await sh(w2(), 'evenkeel local status')).stdout}`,
  );
  expect((await status()).left?.why).toBe('removed');
  expect(
    (
      await w2().run('curl -sS -H "Host: www.example.org" http://127.0.0.1/ || curl -sS http://10.77.0.13/')
    ).trim(),
  ).toBe('this is w2');
  expect(await w2().run('ip -4 -o address show dev lo')).not.toContain(VIP);
  await w2().run('sync');
  await w2().powerCut();
  await w2().boot();
  await until(
    'it serves after a reboot',
    async () => (await sh(w2(), `curl -sS http://${w2().address}/`)).stdout.trim() === 'this is w2',
    120_000,
  );
  const again = await invite('--role web --name w2 --parameter nodeHeader=true');
  writeFileSync(join(w2().folder, 'line.sh'), again.line);
  const back = await sh(w2(), 'sh /lab/line.sh');
  expect(back.code, back.stdout + back.stderr).toBe(0);
  await until(
    'it is a node again',
    async () => (await nodes()).some(({ name, converged }) => name === 'w2' && converged),
    120_000,
  );
}, 1_800_000);
