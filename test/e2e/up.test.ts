/** `up` and `down` as a person uses them, and what is left when everything was killed. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daemonsOf, identify } from '../../cli/sandbox/processes.ts';
import type { Up } from '../../cli/sandbox/settings.ts';
import { childrenOf, runCli, startSandbox, type TestSandbox } from '../support/sandbox.ts';

const LONG = 180_000;

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await startSandbox();
}, LONG);
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${sandbox.tails()}\n`);
  await sandbox.remove();
}, LONG);

const members = (up: Up) => [...up.nodes, up.director];
const named = (up: Up) => [
  up.supervisor,
  up.pid ?? 0,
  ...members(up).flatMap(({ pid }) => Object.values(pid).map(Number)),
];
const withWorkers = (pids: number[]) => [...pids, ...pids.flatMap(childrenOf)];
const alive = (pids: number[]) => pids.filter((pid) => identify(pid) !== undefined);
const killAll = (pids: number[]) => {
  for (const pid of alive(pids)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (err) {
      // A worker ends with its master.
      if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
    }
  }
};
const nodesThatAnswer = async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => sandbox.get('example.org')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  return [...new Set(answers.map(({ node }) => node))].sort();
};

describe('[2.9] up --detach', () => {
  it('serves the example from every node, and down leaves nothing running', { timeout: LONG }, async () => {
    const up = sandbox.up();
    expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
    expect((await sandbox.get('example.org')).body).toContain('This is example.org');
    const pids = withWorkers(named(up));
    expect(alive(pids)).toEqual(pids);

    const down = await sandbox.down();
    expect(down.code, down.stderr).toBe(0);
    expect(alive(pids)).toEqual([]);
    expect(existsSync(join(sandbox.dir, 'up.json'))).toBe(false);
  });

  it('writes up.json for its owner alone, with a CA and a token that work', { timeout: LONG }, async () => {
    const up = sandbox.up();
    expect(statSync(join(sandbox.dir, 'up.json')).mode & 0o777).toBe(0o600);
    expect(up.nodes.map(({ name, address }) => `${name} ${address}`)).toEqual([
      'n1 127.0.0.11',
      'n2 127.0.0.12',
      'n3 127.0.0.13',
    ]);
    expect(readFileSync(sandbox.path(up.ca), 'utf8')).toContain('BEGIN CERTIFICATE');
    for (const node of up.nodes) expect(existsSync(sandbox.path(node.root))).toBe(true);
    const nodes = await sandbox.cli(['nodes', '-o', 'json']);
    expect(nodes.code, nodes.stderr).toBe(0);
  });

  it('says so when it is up already, and changes nothing', { timeout: LONG }, async () => {
    const before = sandbox.up();
    const again = await runCli(['up', '--detach', '--dir', sandbox.dir]);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('already up');
    expect(again.stdout).toContain(before.balancer);
    expect(sandbox.up()).toEqual(before);
  });
});

describe('[2.9] after kill -9', () => {
  it('of everything, up brings back the same data on the same ports', { timeout: LONG }, async () => {
    const before = sandbox.up();
    const root = join(sandbox.dir, 'sites', 'example.org');
    const site = { kind: 'Site', name: 'kept.example', spec: { root } };
    const applied = await sandbox.cli(['apply', '-f', '-'], JSON.stringify(site));
    expect(applied.code, applied.stderr).toBe(0);
    // The supervisor first, or it would start the others again.
    killAll([before.supervisor]);
    killAll(withWorkers(named(before)));

    const again = await runCli(['up', '--detach', '--dir', sandbox.dir]);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    const after = sandbox.up();
    expect({ api: after.api, balancer: after.balancer }).toEqual({
      api: before.api,
      balancer: before.balancer,
    });
    expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
    expect((await sandbox.get('kept.example')).status).toBe(200);
  });

  it('of the supervisor alone, up takes over the daemons that still serve', { timeout: LONG }, async () => {
    const before = sandbox.up();
    killAll([before.supervisor]);
    const again = await runCli(['up', '--detach', '--dir', sandbox.dir]);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    const after = sandbox.up();
    expect(after.nodes.map(({ pid }) => pid.nginx)).toEqual(before.nodes.map(({ pid }) => pid.nginx));
    expect(alive([before.pid ?? 0, ...members(before).map(({ pid }) => pid.agent ?? 0)])).toEqual([]);
    expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
  });

  it('of the supervisor and an nginx master, down still leaves nothing running', {
    timeout: LONG,
  }, async () => {
    const up = sandbox.up();
    const pids = withWorkers(named(up));
    killAll([up.supervisor, ...members(up).map(({ pid }) => pid.agent ?? 0), up.nodes[0]?.pid.nginx ?? 0]);
    const down = await sandbox.down();
    expect(down.code, down.stdout + down.stderr).toBe(0);
    expect(alive(pids)).toEqual([]);
    for (const { root } of members(up)) {
      const folder = sandbox.path(root);
      expect(daemonsOf({ root: folder, run: join(folder, 'run') })).toEqual([]);
    }
  });

  it('of any single process, it is back by itself and up.json names the new one', {
    timeout: LONG,
  }, async () => {
    const before = sandbox.up();
    killAll([before.pid ?? 0, before.nodes[1]?.pid.agent ?? 0]);
    const changed = () => {
      const now = sandbox.up();
      return [now.pid, now.nodes[1]?.pid.agent].filter(
        (pid) => typeof pid === 'number' && pid !== before.pid && pid !== before.nodes[1]?.pid.agent,
      );
    };
    await expect.poll(() => changed().length, { timeout: 15_000 }).toBe(2);
    expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
  });
});

describe('[2.9] two at once', () => {
  it('one up wins and the other says so', { timeout: LONG }, async () => {
    expect((await sandbox.down()).code).toBe(0);
    const both = await Promise.all([
      runCli(['up', '--detach', '--dir', sandbox.dir]),
      runCli(['up', '--detach', '--dir', sandbox.dir]),
    ]);
    const words = both.map(({ stdout, stderr }) => stdout + stderr);
    expect(words.filter((text) => text.includes('another up'))).toHaveLength(1);
    expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
  });

  it('another sandbox on this machine disturbs neither', { timeout: LONG }, async () => {
    const other = await startSandbox(['--nodes', '1']);
    try {
      expect((await other.get('example.org')).status).toBe(200);
      expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
    } finally {
      await other.remove();
    }
    expect(await nodesThatAnswer()).toEqual(['n1', 'n2', 'n3']);
  });
});
