/** A node that goes: by its own root, or removed by the manager; it serves on, and comes back as a member when it joins again. */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { LocalStatus } from '../../protocol/local.ts';
import type { EventLine } from '../../protocol/views.ts';
import { getThrough } from '../support/sandbox.ts';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();
const run = promisify(execFile);

const nodeOf = (name: string) => {
  const node = sandbox()
    .up()
    .nodes.find((one) => one.name === name);
  if (!node) throw new Error(`there is no node ${name}`);
  const root = sandbox().path(node.root);
  return { ...node, root, state: join(root, 'state'), run: join(root, 'run') };
};
const statusOf = async (name: string): Promise<LocalStatus> => {
  const { stdout, stderr, code } = await sandbox().cli([
    ...['-o', 'json', 'local', '--run', nodeOf(name).run],
    'status',
  ]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as LocalStatus;
};
const hasLeft = (name: string) => () =>
  statusOf(name).then(
    ({ left }) => left?.done === true,
    () => false,
  );
const pidOf = async (name: string) => (await statusOf(name)).services[0]?.pid;
/** What the node itself answers, whatever the balancer thinks of it. */
const ask = (name: string) =>
  getThrough(`http://${nodeOf(name).address}:${nodeOf(name).http}`, 'shop.example', '/').then(
    ({ status }) => status,
    () => 0,
  );
const parametersOf = async (name: string) => {
  const { stdout } = await sandbox().cli(['get', 'node', name, '-o', 'json']);
  return (JSON.parse(stdout) as { spec: { parameters: Record<string, string | number | boolean> } }).spec
    .parameters;
};
const namesIn = async () => (await sandbox().client().call('nodes')).items.map(({ name }) => name);

it('[4.5] a box whose root lets it leave serves on by the same process from plain files, and the manager knows', {
  timeout: 120_000,
}, async () => {
  const pid = await pidOf('n3');
  const { code, stdout, stderr } = await sandbox().cli(['leave', '--run', nodeOf('n3').run, '--yes']);
  expect([code, stderr]).toEqual([0, expect.stringContaining('stays, and is served on from plain files')]);
  expect(stdout).toContain('This box is one of its own now, n3 no more. It serves on: nginx.');
  expect(await namesIn()).not.toContain('n3');
  expect([await ask('n3'), await pidOf('n3')]).toEqual([200, pid]);
  const unit = join(nodeOf('n3').state, 'units', 'web-nginx');
  expect(lstatSync(join(unit, 'plain', 'nginx.conf')).isFile()).toBe(true);
  expect(readFileSync(join(unit, 'current', 'nginx.conf'), 'utf8')).toContain('http {');
  expect(existsSync(join(nodeOf('n3').state, 'identity'))).toBe(false);
  expect(readdirSync(nodeOf('n3').state).filter((name) => name.startsWith('desired'))).toEqual([]);
  const { stdout: events } = await sandbox().cli(['events', '-o', 'json', '--type', 'node.left']);
  expect((JSON.parse(events) as EventLine).message).toContain('root of the box n3');
});

it('[4.5] its daemon is started when it dies, and what is for members alone is refused with the cluster that it left', {
  timeout: 120_000,
}, async () => {
  process.kill((await pidOf('n3')) as number, 'SIGKILL');
  await until('it serves again', async () => (await ask('n3')) === 200);
  const { code, stderr } = await sandbox().cli(['local', '--run', nodeOf('n3').run, 'plan']);
  expect([code, stderr]).toEqual([
    expect.any(Number),
    expect.stringContaining('nothing is wanted of it any more'),
  ]);
  expect(code).not.toBe(0);
});

it('[4.5] a box of its own that joins again is a member within seconds, and follows what was declared meanwhile', {
  timeout: 120_000,
}, async () => {
  const { join: string } = await sandbox()
    .client()
    .call('invite', {
      body: { name: 'n3', roles: ['web'], parameters: await parametersOf('n1'), hours: 1, approve: false },
    });
  const { root, address } = nodeOf('n3');
  const folders = ['state', 'run', 'log'].flatMap((name) => [`--${name}`, join(root, name)]);
  const agent = join(import.meta.dirname, '..', '..', 'dist', 'agent.js');
  await run(process.execPath, [
    agent,
    'join',
    string,
    '--name',
    'n3',
    '--address',
    address,
    ...folders,
    '--yes',
  ]);
  await until(
    'it is a member',
    () =>
      statusOf('n3').then(
        ({ left, manager }) => left === null && manager.connected,
        // The agent that had left ends, and the one that is a member begins.
        () => false,
      ),
    20_000,
  );
  await until(
    'it has converged',
    async () => {
      const view = await sandbox()
        .client()
        .call('node', { params: { name: 'n3' } });
      return view.converged;
    },
    30_000,
  );
  expect(await ask('n3')).toBe(200);
  await until(
    'the plain files are gone',
    () => !existsSync(join(nodeOf('n3').state, 'units', 'web-nginx', 'plain')),
  );
});

it('[4.5] a node that was removed learns it, is told twice before it believes it, and becomes a box of its own that serves', {
  timeout: 180_000,
}, async () => {
  const pid = await pidOf('n2');
  await sandbox()
    .client()
    .call('removeNode', { params: { name: 'n2' }, query: { force: false } });
  const begun = Date.now();
  await until('n2 has left', hasLeft('n2'), 120_000);
  // Whoever removed the wrong one has had so long to say so.
  expect(Date.now() - begun).toBeGreaterThan(29_000);
  expect((await statusOf('n2')).left).toMatchObject({ node: 'n2', why: 'removed' });
  expect([await ask('n2'), await pidOf('n2')]).toEqual([200, pid]);
});
