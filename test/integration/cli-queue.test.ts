/** `evenkeel actions`, `run`, `runs` and `queue`: the program itself, at an API with a real store, an agent played by hand. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import type { TryResult } from '../../protocol/queue.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { tryResult } from '../support/command.ts';
import { runCli } from '../support/sandbox.ts';
import { until } from '../support/until.ts';

let api: TestApi;
let base: string[];
const ledger = randomUUID();
const evenkeel = (...args: string[]) => runCli([...base, ...args]);

beforeAll(async () => {
  api = await startTestApi({ seen: (view) => ({ ...view, online: true }) });
  await declare(api.store, [node('web1', ['web'], '127.0.0.11'), node('web2', ['web'], '127.0.0.12')]);
  const ca = join(api.folder, 'ca.crt');
  writeFileSync(ca, api.pki.bundle());
  base = ['--api', api.url, '--ca', ca, '--token', api.tokens.admin];
});
afterAll(() => api.stop());

const pull = (name: string, results: TryResult[] = []) =>
  api.queue.pull(name, { ledger, results, working: null });
const result = (run: string, number: number, more: Partial<TryResult> = {}): TryResult =>
  tryResult({ run, number, output: 'one\ntwo\n', ...more });
/** A node does whatever it is handed. */
async function work(name: string, more: Partial<TryResult> = {}): Promise<void> {
  const { next } = await pull(name);
  if (next) await pull(name, [result(next.run, next.number, more)]);
}

it('[5.7] actions lists what ships, and says of one which parameters it takes', async () => {
  const { stdout } = await evenkeel('actions');
  for (const name of ['unit-restart', 'service-restart', 'package-install', 'reboot', 'disk-usage'])
    expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
  expect((await evenkeel('actions', 'log-tail')).stdout).toMatch(/lines {2}integer; else lines=50/);
});

it('[5.7] a run says where it is shown; a halted queue says why and what may be done; retry and skip are heard', async () => {
  const { stdout, code } = await evenkeel('run', 'service-restart', 'service=dovecot', '--on', 'web');
  expect([code, stdout]).toEqual([0, expect.stringContaining('service-restart on web: 2 waiting; run ')]);
  await work('web1');
  await work('web2', {
    end: 'failed',
    status: 1,
    error: { code: 'command-failed', message: 'no such unit' },
  });
  const halted = (await evenkeel('queue')).stdout;
  expect(halted).toMatch(/^web1 +empty +0/m);
  expect(halted).toMatch(/^web2 +halted +1 +service-restart +1 +no such unit; again in/m);
  expect((await evenkeel('queue', 'retry', 'web2', '--set', 'service=nginx')).code).toBe(0);
  expect((await pull('web2')).next).toMatchObject({ number: 2, values: { service: 'nginx' } });
  expect((await evenkeel('queue', 'retry', 'web1')).stderr).toContain('the queue of web1 is empty');
  const run = /run ([a-z2-7]{12})/.exec(stdout)?.[1] ?? '';
  await pull('web2', [result(run, 2, { end: 'failed', error: { code: 'command-failed', message: 'no' } })]);
  expect((await evenkeel('queue', 'skip', 'web2', '--reason', 'by hand')).code).toBe(0);
  expect((await evenkeel('runs', run)).stdout).toMatch(
    /^web2 +skipped .*\[-\] +2 +with service=nginx; admin: by hand/m,
  );
  expect((await evenkeel('runs', run, '--said', 'web1')).stdout).toContain('one\ntwo');
});

it('[5.5] --watch shows each line of each node with its name, ends when all is over, and says by its code how', async () => {
  const watching = evenkeel('run', 'disk-usage', '--on', 'web', '--watch');
  await until(
    'both are queued',
    () => ['web1', 'web2'].every((name) => api.queue.line(name).length === 1),
    30_000,
  );
  const [one, two] = [(await pull('web1')).next, (await pull('web2')).next];
  if (!one || !two) throw new Error('nothing was handed out');
  // The reader may come a moment later: the last of what was said is kept for him.
  for (const [name, at, text] of [
    ['web1', 0, 'half'],
    ['web2', 0, 'whole\n'],
    ['web1', 4, ' a line\n'],
  ] as const)
    api.live.heard(name, { run: one.run, number: 1, at, text });
  // More than was told while it ran, and less than a line at the end.
  const output = 'half a line\nand what no piece has told';
  await pull('web1', [result(one.run, 1, { output })]);
  const error = { code: 'command-failed', message: 'full' };
  await pull('web2', [result(two.run, 1, { end: 'failed', error, output: 'whole\n' })]);
  const { stdout, stderr, code } = await watching;
  expect(stderr).toContain(`evenkeel runs ${one.run} --watch comes back`);
  expect(stdout).toMatch(/^web1 {2}half a line$/m);
  expect(stdout).toMatch(/^web1 {2}and what no piece has told\nweb1 {2}\[##\] {2}succeeded$/m);
  expect(stdout).toMatch(/^web2 {2}whole$/m);
  expect(stdout).toMatch(/^web2 {2}\[#\.\] {2}failed: full; again in/m);
  expect(code).toBe(exits.unfinished.code);
  await evenkeel('queue', 'cancel', 'web2');
});

it('[5.5] --watch does not wait for what stands behind another run that has come to a halt, and says so', async () => {
  await evenkeel('run', 'log-tail', 'file=gone', '--on', 'web2');
  await work('web2', { end: 'failed', error: { code: 'command-failed', message: 'no such file' } });
  const watching = evenkeel('run', 'disk-usage', '--on', 'web', '--watch');
  await until('web1 has it', () => api.queue.line('web1').length === 1, 30_000);
  await work('web1');
  const { stdout, stderr, code } = await watching;
  expect(stderr).toMatch(/^web2 {2}waits behind log-tail .*no such file.* skip web2 --reason WHY$/m);
  expect(stdout).toContain('1 succeeded, 1 waiting');
  expect(code).toBe(exits.unfinished.code);
  await evenkeel('queue', 'pause', 'web2', '--reason', 'looking');
  const retried = await evenkeel('queue', 'retry', 'web2');
  expect(retried.stderr).toContain('is paused, and tries nothing before: evenkeel queue resume web2');
  await evenkeel('queue', 'resume', 'web2');
  for (const _ of [1, 2]) await evenkeel('queue', 'cancel', 'web2');
}, 60_000);

it('[5.4] a rolling run shows each node with its bar, stops at the first that fails, and is cancelled whole', async () => {
  const watching = evenkeel('run', 'disk-usage', '--on', 'web', '--rolling', '50%', '--watch');
  await until(
    'the first is open',
    async () => {
      const { next } = await pull('web1');
      if (!next) return false;
      const error = { code: 'command-failed', message: 'full' };
      await pull('web1', [result(next.run, 1, { end: 'failed', error })]);
      return true;
    },
    30_000,
  );
  const { stdout, stderr, code } = await watching;
  expect(stdout).toMatch(/^web1 {2}\[##\.\.\] {2}failed: full; again in/m);
  expect(stdout).toMatch(/^web2 {2}\[\.\.\.\.\] {2}waiting: waits for its turn in the run$/m);
  expect(stdout).toMatch(
    /stopped: 1 wait, .*\n {2}web1 {2}full\n {2}without it: evenkeel queue skip web1 --run [a-z2-7]{12} /,
  );
  expect(code).toBe(exits.unfinished.code);
  const [, run = ''] = /runs ([a-z2-7]{12}) --watch/.exec(stderr) ?? [];
  expect((await evenkeel('runs', run, '--cancel', '--reason', 'not today')).stdout).toContain('2 cancelled');
  expect((await evenkeel('runs', run)).stdout).toMatch(/web2 .* cancelled .* admin: not today/);
  // It waits still for the first to be well, and lets go of it.
  expect((await evenkeel('runs', run, '--cancel')).code).toBe(0);
  await until('it is over', async () => {
    const { code, stderr } = await evenkeel('runs', run, '--cancel');
    return code === exits.refused.code && stderr.includes('is over on every node');
  });
});

it('[5.7] words that do not go together are refused, and none is passed over in silence', async () => {
  for (const words of [
    ['--cancel'],
    ['--watch'],
    ['aaaaaaaaaaaa', '--again', '--cancel'],
    ['aaaaaaaaaaaa', '--reason', 'x'],
    ['aaaaaaaaaaaa', '--cancel', '--said', 'web1'],
  ])
    expect([words, (await evenkeel('runs', ...words)).code]).toEqual([words, exits.usage.code]);
});

it('[5.4] what only a rolling run can do is refused without --rolling, and a size that is none with its rule', async () => {
  const drained = await evenkeel('run', 'disk-usage', '--on', 'web', '--drain');
  expect([drained.code, drained.stderr]).toEqual([
    exits.usage.code,
    expect.stringContaining('add --rolling'),
  ]);
  const sized = await evenkeel('run', 'disk-usage', '--on', 'web', '--rolling', 'half');
  expect(sized.stderr).toContain('or 25%');
  const timed = await evenkeel('run', 'disk-usage', '--on', 'web', '--rolling', '--drain', 'soon');
  expect(timed.stderr).toMatch(/rolling.*drain/);
  expect(api.queue.line('web1')).toEqual([]);
});

it('[5.7] what is wrong is named with its parameter, and nothing is queued', async () => {
  const { code, stderr } = await evenkeel('run', 'package-install', 'packages=-y', '--on', 'web1');
  expect([code, stderr]).toEqual([exits.refused.code, expect.stringContaining('begins with -')]);
  expect((await evenkeel('run', 'nothing', '--on', 'web1')).stderr).toContain('there is no action nothing');
  expect((await evenkeel('run', 'sweep', 'x', '--on', 'web1')).stderr).toContain('x is no name=value');
  expect(api.queue.line('web1')).toEqual([]);
});

it('[5.1] a run is taken back with one word, and one that cannot be says why', async () => {
  const { stdout } = await evenkeel('-o', 'json', 'run', 'service-stop', 'service=cron', '--on', 'web1');
  const { run } = JSON.parse(stdout) as { run: string };
  const early = await evenkeel('runs', run, '--undo');
  expect([early.code, early.stderr]).toEqual([3, expect.stringContaining('has changed nothing on any node')]);
  await work('web1');
  expect((await evenkeel('runs', run, '--undo')).stdout).toContain('service-start on web1: 1 waiting; run ');
  await work('web1');
  expect((await evenkeel('runs')).stdout).toMatch(/service-start +web1 +service=cron .* 1 succeeded/);
  const twice = await evenkeel('runs', run, '--undo');
  expect([twice.code, twice.stderr]).toEqual([3, expect.stringContaining('back already')]);
  expect((await evenkeel('runs', run, '--undo', '--again')).stdout).toContain(
    'service-start on web1: 1 wait',
  );
  await work('web1');
});

it('[5.7] a large run is come back to, and the marks in what a program says end neither a line nor the watching', async () => {
  const names = Array.from({ length: 30 }, (_, at) => `big${at}`);
  await declare(
    api.store,
    names.map((name, at) => node(name, ['big'], `127.0.2.${at + 1}`)),
  );
  const { stdout } = await evenkeel('-o', 'json', 'run', 'disk-usage', '--on', 'big');
  const { run } = JSON.parse(stdout) as { run: string };
  const output = `${'x'.repeat(1_023)}\n`.repeat(63).concat('one\u2028two\u200b\n');
  for (const name of names) await work(name, { output });
  const { code, stdout: shown, stderr } = await evenkeel('runs', run, '--watch');
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('not shown')]);
  for (const name of names) expect(shown).toContain(`\n${name}  one\ufffdtwo\ufffd\n`);
  expect(shown).toContain('30 succeeded');
});

it('[5.7] what means nothing where it stands is refused; a secret comes from a file; runs are listed page by page', async () => {
  const refused = async (...words: string[]) => {
    const { code, stderr } = await evenkeel(...words);
    expect(code).toBe(exits.usage.code);
    return stderr;
  };
  expect(await refused('queue', '--state', 'failed')).toContain('--state means nothing here');
  expect(await refused('runs', 'abcdefghijkl', '--limit', '3')).toContain('--limit means nothing here');
  const twice = ['run', 'service-restart', 'service=a', 'service=b', '--on', 'web'];
  expect(await refused(...twice)).toContain('service is given twice');
  const file = join(api.folder, 'service');
  writeFileSync(file, 'dovecot\n');
  const run = (...words: string[]) => evenkeel('run', 'service-restart', '--on', 'web1', ...words);
  expect((await run('--from-file', `service=${file}`)).code).toBe(0);
  expect((await run('--from-file', 'service=/nowhere')).stderr).toContain('/nowhere cannot be read');
  expect((await run('service=nginx')).code).toBe(0);
  const page = await evenkeel('runs', '--limit', '1');
  expect(page.stdout).toMatch(/service=nginx/);
  const [, before = ''] = /older ones: --before ([0-9]+)/.exec(page.stderr) ?? [];
  expect((await evenkeel('runs', '--before', before)).stdout).toMatch(/service=dovecot/);
  expect((await evenkeel('runs', '--state', 'failed')).stdout).toContain('nothing like that');
});
