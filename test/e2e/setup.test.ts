/** From a manager alone to a cluster that serves: a file, one line a box, the smoke test, and the way back. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Client, createClient } from '../../cli/client.ts';
import { exits } from '../../cli/exit-codes.ts';
import { findManager } from '../../cli/find.ts';
import { everyOne } from '../../cli/list.ts';
import { createControl } from '../../cli/sandbox/control.ts';
import { foundManager } from '../../cli/sandbox/found.ts';
import { findProduct, layoutOf } from '../../cli/sandbox/layout.ts';
import { tailOf } from '../../cli/sandbox/logs.ts';
import { choosePorts } from '../../cli/sandbox/ports.ts';
import { runBundle } from '../../cli/sandbox/program.ts';
import type { Settings } from '../../cli/sandbox/settings.ts';
import { endDaemons } from '../../cli/sandbox/tear-down.ts';
import { systemClock } from '../../common/clock.ts';
import { commandOf } from '../../common/programs.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import { cliBundle, type Ran, runCli } from '../support/sandbox.ts';
import { openTerminal } from '../support/setup-terminal.ts';
import { until } from '../support/until.ts';

const LONG = 120_000;
const LB = '127.0.0.1';
const WEB = { w1: '127.0.0.31', w2: '127.0.0.32' };
const all = [LB, ...Object.values(WEB)];

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-setup-'));
const layout = layoutOf(join(folder, 'var'));
const product = findProduct();
const processes: ChildProcess[] = [];
let settings: Settings;
let client: Client;
let base: string[];
/** What the first setup keeps, and where. */
let keptFile: string;
let kept: string;

const start = (program: 'manager' | 'agent', name: string, args: string[]): ChildProcess => {
  const [command = '', ...words] = commandOf(program, product.bundle(program), args);
  const out = openSync(layout.log(name), 'a');
  const child = spawn(command, words, { stdio: ['ignore', out, out] });
  processes.push(child);
  return child;
};

beforeAll(async () => {
  chmodSync(folder, 0o755);
  mkdirSync(join(layout.dir, 'log'), { recursive: true });
  const ports = await choosePorts({
    ...{ api: [LB], machines: [LB], broker: [LB], fallback: [LB], balancer: [LB] },
    ...{ web: all, webTls: all, health: all },
  });
  settings = await foundManager(layout, product, { nodes: 2, ports, declared: false });
  start('manager', 'manager', ['run', '--data', layout.manager]);
  const control = createControl(settings);
  await until('the manager is ready', () => control.isReady().catch(() => false), 30_000);
  await control.patch('Cluster', 'cluster', { health: { port: ports.health } });
  base = ['--api', control.api, '--ca', control.caFile, '--token', control.token];
  const given = { api: control.api, ca: control.caFile, token: control.token };
  client = createClient(findManager(given, { cwd: folder, env: {} }));
  process.env.XDG_CONFIG_HOME = join(folder, 'config');
}, LONG);
afterAll(async () => {
  delete process.env.XDG_CONFIG_HOME;
  for (const child of processes) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await endDaemons(layout, systemClock);
  rmSync(folder, { recursive: true, force: true });
}, LONG);

const cli = (...args: string[]): Promise<Ran> => runCli([...base, ...args]);
const words = ({ code, stdout, stderr }: Ran): string => `ended with ${code}\n${stdout}${stderr}`;

/** @param names whether nodes name themselves in what they answer */
function file({ names = true } = {}): string {
  const { web, webTls, balancer } = settings.ports;
  const parameters = { httpPort: web, httpsPort: webTls, nodeHeader: names };
  const path = join(folder, 'setup.yaml');
  const answers = {
    ...{ address: LB, networks: { cluster: '127.0.0.0/8' } },
    nodes: [
      { name: 'lb', address: LB, roles: ['balancer'] },
      ...Object.entries(WEB).map(([name, address]) => ({ name, address, roles: ['web'], parameters })),
    ],
    ...{ balancer: { driver: 'haproxy' }, visitors: { vip: LB, http: { port: balancer, target: web } } },
    ...{ storage: 'none', approveJoins: false },
  };
  writeFileSync(path, stringify(answers));
  return path;
}

/** As somebody would who pastes the line on the box; folders of its own, since all boxes are one here. */
async function paste(line: string): Promise<void> {
  const [, given = '', name = '', address = ''] = /join (\S+) --name (\S+) --address (\S+)$/.exec(line) ?? [];
  const { state, run, log } = layout.node(name);
  for (const one of [state, run, log]) mkdirSync(one, { recursive: true });
  const folders = ['--state', state, '--run', run, '--log', log];
  const join = ['join', given, '--name', name, '--address', address, '--yes', ...folders];
  await runBundle(product.bundle('agent'), join);
  start('agent', name, ['run', '--state', state]);
}

const smokeSites = async (): Promise<string[]> =>
  (await everyOne(client, 'Site')).map(({ name }) => name).filter((name) => name.includes('smoke'));

it('[4.2] a file, one line a box, and setup again: every node serves, and the smoke test names each', {
  timeout: LONG,
}, async () => {
  const first = await cli('setup', '--file', file(), '--yes', '-o', 'json');
  expect(first.code, words(first)).toBe(exits.unfinished.code);
  const { invited } = JSON.parse(first.stdout) as { invited: { line: string }[] };
  expect(invited).toHaveLength(3);
  const waiting = cli('setup', '--yes', '--wait', '90s');
  for (const { line } of invited) await paste(line);
  const ran = await waiting;
  expect(ran.code, `${words(ran)}${tailOf(layout.log('w1'))}`).toBe(exits.ok.code);
  for (const node of ['w1', 'w2']) {
    expect(ran.stdout).toMatch(new RegExp(`${node} +itself +\\S+ +ok +answered`));
    expect(ran.stdout).toMatch(new RegExp(`${node} +web +\\S+ +ok +answered \\d+ of`));
  }
  expect(await smokeSites()).toEqual([]);
  const again = await cli('setup', '--file', file(), '--yes');
  expect(again.code, words(again)).toBe(exits.ok.code);
  expect(again.stdout).toContain('nothing to change');
  const terminal = openTerminal([...base, 'setup']);
  await terminal.dialogue([
    ['this cluster is set up already', ''],
    ['run the smoke test? [Y/n]', 'n'],
  ]);
  await terminal.says('nothing to change');
  expect(await terminal.ended()).toBe(exits.ok.code);
  const names = readdirSync(join(folder, 'config', 'evenkeel'));
  keptFile = join(folder, 'config', 'evenkeel', names.find((name) => name.endsWith('.json')) ?? '');
  kept = readFileSync(keptFile, 'utf8');
});

it('[4.2] smoke is red, by name and with the reason, when a node serves something else', {
  timeout: LONG,
}, async () => {
  const params = { kind: 'Template', name: 'vhost/nginx-site.conf.hbs' } as const;
  const { spec } = (await client.call('get', { params })) as unknown as ResourceOf<'Template'>;
  const broken = spec.text.replace(
    '{{#each spec.redirects}}',
    '{{#if (eq node.name "w2")}}\n    return 410;\n{{/if}}\n{{#each spec.redirects}}',
  );
  await client.call('put', { params, body: { spec: { ...spec, text: broken } } });
  try {
    const ran = await cli('smoke');
    expect(ran.code, words(ran)).toBe(exits.difference.code);
    expect(ran.stdout).toMatch(/w1 +itself +\S+ +ok/);
    expect(ran.stdout).toMatch(/w2 +itself +\S+ +failed +answered 410/);
    expect(ran.stdout).toMatch(/w1 +web +\S+ +ok/);
    expect(ran.stdout).toMatch(/w2 +web +\S+ +failed +answered 410/);
    expect(await smokeSites()).toEqual([]);
  } finally {
    await client.call('put', { params, body: { spec } });
  }
});

it('[4.2] who drains is asked itself, and not through the balancer', { timeout: LONG }, async () => {
  await client.call('drain', { params: { name: 'w2' }, body: { reason: 'disk' } });
  const ran = await cli('smoke');
  await client.call('undrain', { params: { name: 'w2' } });
  expect(ran.code, words(ran)).toBe(exits.ok.code);
  expect(ran.stdout).toMatch(/w2 +itself +\S+ +ok/);
  expect(ran.stdout).toMatch(/w2 +web +\S+ +skipped +drains: disk/);
});

it('[4.2] a smoke test that is killed leaves a site that the next removes; after Ctrl-C nothing is left', {
  timeout: LONG,
}, async () => {
  const begin = async () => {
    const child = spawn(process.execPath, [cliBundle, ...base, 'smoke'], { stdio: 'ignore' });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    await until('its site is declared', async () => (await smokeSites()).length > 0, 20_000);
    return { child, ended };
  };
  const killed = await begin();
  killed.child.kill('SIGKILL');
  await killed.ended;
  const [left = ''] = await smokeSites();
  expect(left).not.toBe('');
  const next = await cli('smoke');
  expect(next.code, words(next)).toBe(exits.ok.code);
  expect(next.stdout).toContain(`Site/${left} of a run that was killed is removed`);
  expect(await smokeSites()).toEqual([]);
  const stopped = await begin();
  stopped.child.kill('SIGINT');
  expect((await stopped.ended)[0]).toBe(exits.interrupted.code);
  expect(await smokeSites()).toEqual([]);
});

it('[4.2] where nodes do not name themselves, the director has counted whom it asked', {
  timeout: LONG,
}, async () => {
  const ran = await cli('setup', '--file', file({ names: false }), '--yes');
  expect(ran.code, words(ran)).toBe(exits.ok.code);
  for (const node of ['w1', 'w2'])
    expect(ran.stdout).toMatch(new RegExp(`${node} +web +\\S+ +ok +took \\d+ connections`));
});

it('[4.2] a node whose agent is gone is red', { timeout: LONG }, async () => {
  const agent = processes.at(-1);
  const name =
    agent?.spawnargs
      .find((word) => word.endsWith('/state'))
      ?.split('/')
      .at(-2) ?? '';
  agent?.kill('SIGSTOP');
  const ran = await cli('smoke');
  agent?.kill('SIGCONT');
  expect(ran.code, words(ran)).toBe(exits.difference.code);
  expect(ran.stdout).toMatch(new RegExp(`${name} +itself +\\S+ +failed +is not connected`));
  expect(await smokeSites()).toEqual([]);
});

it('[4.2] --undo takes the last setup back; of nodes that have joined nothing but by force', {
  timeout: LONG,
}, async () => {
  const last = await cli('setup', '--undo', '--yes');
  expect(last.code, words(last)).toBe(exits.ok.code);
  const headers = (await everyOne(client, 'Node')).map(({ spec }) => spec.parameters.nodeHeader);
  expect(headers).toEqual([undefined, true, true]);
  writeFileSync(keptFile, kept);
  const careful = await cli('setup', '--undo', '--yes');
  expect(careful.code, words(careful)).toBe(exits.refused.code);
  expect(careful.stdout).toContain('Node/w1 was changed since by somebody else');
  expect(careful.stdout).toMatch(/Node\/lb has joined since\n +evenkeel node remove lb/);
  expect(await everyOne(client, 'Node')).toHaveLength(3);
  expect(await everyOne(client, 'VirtualService')).toHaveLength(1);
  expect((await everyOne(client, 'Cluster'))[0]?.spec.networks).toBeDefined();
  const forced = await cli('setup', '--undo', '--yes', '--force');
  expect(forced.code, words(forced)).toBe(exits.ok.code);
  expect([...(await everyOne(client, 'Node')), ...(await everyOne(client, 'VirtualService'))]).toEqual([]);
  expect((await everyOne(client, 'Cluster'))[0]?.spec.networks).toBeUndefined();
});
