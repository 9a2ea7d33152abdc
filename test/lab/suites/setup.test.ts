/**
 * `evenkeel setup` on boxes that do nothing yet: a director with LVS, a file server and two web nodes become of them, and
 * the smoke test goes through the VIP.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { exits } from '../../../cli/exit-codes.ts';
import { runCli } from '../../support/sandbox.ts';
import { until } from '../../support/until.ts';
import { addressIn } from '../lan.ts';
import { API } from '../manager.ts';
import { tableOf, taking } from '../table.ts';
import { useLab } from '../use-lab.ts';
import { VIP } from '../web.ts';

const HOME = '/chroot/home';
const webs = ['w1', 'w2'];
const lab = useLab({ nodes: [{ name: 'd1' }, { name: 'nas', data: 32 }, { name: 'w1' }, { name: 'w2' }] });

const box = (name: string) => lab().box(name);
const on = async (name: string, script: string) => (await box(name).run(script)).trim();

const answers = () => {
  const node = (name: string, role: string, parameters = {}) => ({
    ...{ name, address: box(name).address, roles: [role], parameters },
  });
  return {
    ...{ address: addressIn(0, 1), networks: { cluster: '10.77.0.0/24' } },
    nodes: [
      node('d1', 'balancer'),
      node('nas', 'storage', { nfsLease: 10, nfsGrace: 10 }),
      // One that names itself in its answers, and one that does not.
      node('w1', 'web', { nodeHeader: true }),
      node('w2', 'web'),
    ],
    balancer: { driver: 'lvs', forwarding: 'DR', card: 'vec0' },
    visitors: { vip: VIP, http: 80 },
    storage: { server: { node: 'nas' }, export: '/data/home', mountpoint: HOME },
    approveJoins: false,
  };
};

let given: string[];
beforeAll(async () => {
  const { ca, token } = lab().manager;
  const [caFile, config] = [join(lab().folder, 'ca.crt'), join(lab().folder, 'config')];
  writeFileSync(caFile, ca);
  mkdirSync(config);
  process.env.XDG_CONFIG_HOME = config;
  given = ['--api', `https://${API.host}:${API.port}`, '--ca', caFile, '--token', token];
  await on('nas', 'mkdir -p /data/home && echo shared >/data/home/file');
}, 60_000);
// A box has one processor of many that share two, and everything is loaded for the first time.
const LONG = 240_000;
const cli = (...args: string[]) => runCli([...given, ...args], { timeout: LONG });

it('[4.2] boxes without a role become a cluster by one file, and each node serves through the VIP', {
  timeout: LONG,
}, async () => {
  const file = join(lab().folder, 'setup.yaml');
  writeFileSync(file, stringify(answers()));
  const ran = await cli('setup', '--file', file, '--yes', '--wait', '3m');
  expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(exits.ok.code);
  for (const name of webs) expect(ran.stdout).toMatch(new RegExp(`${name} +itself +\\S+ +ok +answered`));
  expect(ran.stdout).toMatch(/w1 +web +10\.77\.0\.100:80 +ok +answered/);
  expect(ran.stdout).toMatch(/w2 +web +10\.77\.0\.100:80 +ok +took \d+ connections/);
  const addresses = webs.map((name) => box(name).address).sort();
  // The smoke site is gone again: a check that came while a busy box reloaded may have taken one out for a moment.
  const inTable = async () => taking(await tableOf(box('d1')), `TCP ${VIP}:80`).sort();
  await until('both are in the table', async () => (await inTable()).join() === addresses.join(), 30_000);
  for (const name of webs) expect(await on(name, `cat ${HOME}/file`)).toBe('shared');
});

it('[4.2] smoke is red while a node drops what visitors send it, and names it', {
  timeout: LONG,
}, async () => {
  // Its checks are well by its own address: only what goes through the balancer shows it.
  await on('w2', `iptables-legacy -I INPUT -d ${VIP} -p tcp --dport 80 -j DROP`);
  const ran = await cli('smoke');
  await on('w2', `iptables-legacy -D INPUT -d ${VIP} -p tcp --dport 80 -j DROP`);
  expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(exits.difference.code);
  expect(ran.stdout).toMatch(/w2 +itself +\S+ +ok/);
  expect(ran.stdout).toMatch(/w2 +web +\S+ +failed/);
});
