/** Actions on real agents: done on every node with what was said, and a try that loses its agent is not done twice. */
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();

const action = (name: string, spec: object) => ({ kind: 'Action', name, spec });
const mark = `/dev/null-${process.pid}`;

beforeAll(async () => {
  const documents = [
    action('look', { run: ['df', '--output=target', '/'], idempotent: true }),
    action('hang', { run: ['tail', '--retry', '-f', mark], idempotent: false }),
    action('renew', { do: 'unit-restart', parameters: { unit: { type: 'text' } }, idempotent: true }),
  ];
  await sandbox().client().call('apply', { body: { documents } });
});

const start = async (name: string, on: string, parameters: Record<string, unknown> = {}) => {
  const { run } = await sandbox()
    .client()
    .call('runStart', { body: { action: name, on, parameters, jitter: 0 } });
  return run;
};
const states = async (run: string) => {
  const { commands } = await sandbox().client().call('run', { params: { run } });
  return commands.map(({ node, state }) => `${node} ${state}`).sort();
};
const tries = async (run: string, name: string) =>
  (await sandbox().client().call('tries', { params: { run, name } })).tries;

/** Those whose command line has a word. */
const running = (word: string): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
      } catch {
        return false; // gone meanwhile
      }
    });

it('[5.2] an action is done on every node that is named, and what each said is kept', {
  timeout: 60_000,
}, async () => {
  const run = await start('look', 'n1,n2');
  await until('both are done', async () => {
    const now = await states(run);
    return now.join() === 'n1 succeeded,n2 succeeded';
  });
  expect(await tries(run, 'n2')).toMatchObject([
    { number: 1, status: 0, output: expect.stringContaining('/') },
  ]);
});

it('[5.1] the facts of a box are fetched now, and kept with the run', { timeout: 60_000 }, async () => {
  const run = await start('facts', 'n1');
  await until('it is done', async () => (await states(run)).join() === 'n1 succeeded');
  const [first] = await tries(run, 'n1');
  expect(first?.output).toMatch(new RegExp(`^hostname +${hostname()}$`, 'm'));
  expect(first?.output).toMatch(/^agent +\S+, protocol \d+$/m);
  expect(first?.output).toMatch(/^address +lo 127\.0\.0\.1\/8$/m);
});

it('[5.1] the daemon of a unit is another one when its restart is said to be done', {
  timeout: 60_000,
}, async () => {
  const root = sandbox().path(
    sandbox()
      .up()
      .nodes.find(({ name }) => name === 'n1')?.root ?? '',
  );
  const [file = ''] = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('/web-nginx.pid'),
  );
  const pid = () => Number(readFileSync(join(root, file), 'utf8'));
  const before = pid();
  const run = await start('renew', 'n1', { unit: 'web-nginx' });
  await until('it is done', async () => (await states(run)).join() === 'n1 succeeded');
  expect(pid()).not.toBe(before);
  await expect(start('renew', 'n1', { unit: 'web-apache' })).rejects.toMatchObject({ code: 'bad-request' });
});

it('[5.3] an agent that is killed in the middle of what may not be done twice: unknown, decide; and nothing of it is left', {
  timeout: 90_000,
}, async () => {
  const run = await start('hang', 'n1');
  await until('it runs', () => running(mark).length === 1);
  const [command = 0] = running(mark);
  const status = readFileSync(`/proc/${command}/status`, 'utf8');
  process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), 'SIGKILL');
  await until('it is told', async () => (await states(run)).join() === 'n1 unknown', 60_000);
  expect(running(mark)).toEqual([]);
  expect(await tries(run, 'n1')).toMatchObject([
    { number: 1, end: 'unknown', error: { code: 'interrupted' } },
  ]);
  await sandbox()
    .client()
    .call('queueCancel', { params: { name: 'n1' }, body: {} });
});

it('[5.2] a command is cancelled in the middle, and its process is gone', { timeout: 60_000 }, async () => {
  const run = await start('hang', 'n2');
  await until('it runs', () => running(mark).length === 1);
  await sandbox()
    .client()
    .call('queueCancel', { params: { name: 'n2' }, body: {} });
  await until('it is over', async () => (await states(run)).join() === 'n2 cancelled');
  expect(running(mark)).toEqual([]);
});

it('[5.1] what would reach the machine itself is withheld in a sandbox, and halts the queue with that error', {
  timeout: 60_000,
}, async () => {
  const run = await start('reboot', 'n3');
  await until('it failed', async () => (await states(run)).join() === 'n3 failed');
  expect(await tries(run, 'n3')).toMatchObject([{ begun: false, error: { code: 'executable-refused' } }]);
  const { stdout } = await sandbox().cli(['queue']);
  expect(stdout).toMatch(/^n3 +halted +1 +reboot +1 +systemctl is not on the list/m);
  expect(stdout).toContain('halted: evenkeel queue retry n3, skip n3 --reason WHY, or diagnose n3');
  const behind = await sandbox().cli(['run', 'look', '--on', 'n3']);
  expect(behind.stderr).toContain(`n3  waits behind reboot (${run}), which has not succeeded`);
  await sandbox().cli(['queue', 'skip', 'n3', '--reason', 'not here']);
  await until('what was behind it is done', async () => {
    const { items } = await sandbox().client().call('queues');
    return items.every(({ waiting }) => waiting === 0);
  });
});
