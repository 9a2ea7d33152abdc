/** A run taken back: with the values it had, on the nodes that it has changed, and refused where that cannot be. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TryResult } from '../../protocol/queue.ts';
import type { CommandView, RunView } from '../../protocol/queue-api.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { tryResult } from '../support/command.ts';

let api: TestApi;
const packages = { type: 'list' };
const action = (name: string, spec: object) => ({
  ...{ kind: 'Action' as const, name },
  spec: { run: ['true'], idempotent: true, ...spec },
});
const install = (undo: object) =>
  action('install', { run: ['apt', '{{packages}}'], unless: ['dpkg'], parameters: { packages }, ...undo });
const undo = { action: 'remove', parameters: { packages: '{{packages}}', why: 'undo of {{packages}}' } };

beforeEach(async () => {
  api = await startTestApi();
  await declare(api.store, [
    ...['web1', 'web2', 'web3'].map((name, at) => node(name, ['web'], `127.0.0.1${at}`)),
    action('remove', { parameters: { packages, why: { type: 'text' } }, access: 'admin' }),
    install({ undo: { ...undo, parameters: { packages: '{{packages}}', why: 'not wanted' } } }),
    action('restart', {}),
  ]);
});
afterEach(() => api.stop());

const post = async <T>(path: string, body: object = {}, token = api.tokens.admin) => {
  const response = await api.ask('POST', `/api/v1/${path}`, body, { authorization: `Bearer ${token}` });
  return { status: response.statusCode, body: response.json() as T & { detail: string } };
};
const start = async (name: string, parameters: object, on = 'web') =>
  (await post<RunView>('runs', { action: name, parameters, on })).body.run;
const commandsOf = async (run: string) =>
  (await api.ask('GET', `/api/v1/runs/${run}`)).json<{ commands: CommandView[] }>().commands;

/** The first command of a node, ended as an agent tells it. */
async function end(name: string, more: Partial<TryResult> = {}): Promise<void> {
  const ledger = randomUUID();
  const { next } = await api.queue.pull(name, { ledger, results: [], working: null });
  if (!next) throw new Error(`nothing was handed out to ${name}`);
  const { run, number } = next;
  await api.queue.pull(name, { ledger, working: null, results: [tryResult({ run, number, ...more })] });
}

it('[5.1] is taken back with its values where it changed something, not where it was done already or failed', async () => {
  const run = await start('install', { packages: 'htop,strace' });
  await end('web1');
  await end('web2', { already: true });
  await end('web3', { end: 'failed', error: { code: 'command-failed', message: 'no' } });
  const taken = await post<RunView>(`runs/${run}/undo`);
  expect(taken.body).toMatchObject({ action: 'remove', on: 'web1', counts: { waiting: 1 } });
  const [command] = await commandsOf(taken.body.run);
  expect(command).toMatchObject({
    node: 'web1',
    values: { packages: ['htop', 'strace'], why: 'not wanted' },
  });
});

it('[5.4] is taken back in the steps in which it was done', async () => {
  const options = { jitter: 3_000, rolling: { size: '2', stopAfter: 1 } };
  const parameters = { packages: 'htop' };
  const { body } = await post<RunView>('runs', { action: 'install', parameters, on: 'web', ...options });
  // Here nobody opens the turns of a run.
  const [command] = await api.store.queue.ofRun(body.run);
  if (!command) throw new Error('no command was made');
  const done = { ...command, state: 'succeeded', number: 1 } as const;
  await api.store.queue.save([{ command: done, result: tryResult({ run: body.run }) }]);
  const taken = await post<RunView>(`runs/${body.run}/undo`);
  expect(taken.body).toMatchObject({ on: 'web1', options });
});

it('[5.1] is refused, with the reason, where nothing is declared for it, nothing was changed, or not by everybody', async () => {
  const refusal = async (run: string, token = api.tokens.admin) => {
    const { status, body } = await post(`runs/${run}/undo`, {}, token);
    return `${status} ${body.detail}`;
  };
  const restart = await start('restart', {}, 'web1');
  await end('web1');
  expect(await refusal(restart)).toBe('409 nothing is declared that undoes restart');
  const run = await start('install', { packages: 'htop' }, 'web1');
  expect(await refusal(run)).toContain('has changed nothing on any node');
  await end('web1');
  expect(await refusal(run, api.tokens.operator)).toContain('403 remove is for admins');
  expect(await refusal('aaaaaaaaaaaa')).toContain('404');
});

it('[5.1] is refused where a retry had other values on one node', async () => {
  const run = await start('install', { packages: 'htop' }, 'web1,web2');
  await end('web1');
  await end('web2', { end: 'failed', error: { code: 'command-failed', message: 'no' } });
  await post('queues/web2/retry', { parameters: { packages: 'top' } });
  await end('web2');
  const { status, body } = await post(`runs/${run}/undo`);
  expect([status, body.detail]).toEqual([
    409,
    `${run} was done with other values on web2: run remove by hand`,
  ]);
});

it('[5.1] a secret is not put into what everybody sees, and what undoes names only parameters that are there', async () => {
  const secret = { word: { type: 'text', secret: true } };
  await declare(api.store, [
    action('login', { parameters: secret, undo: { action: 'tell', parameters: { word: '{{word}}' } } }),
    action('tell', { parameters: { word: { type: 'text' } } }),
  ]);
  const run = await start('login', { word: 'geheim' }, 'web1');
  await end('web1');
  const { status, body } = await post(`runs/${run}/undo`);
  expect([status, body.detail]).toEqual([
    ...[409, 'word is secret, and word of the action that undoes it is not'],
  ]);
  const wrong = install({ undo: { ...undo, parameters: { packages: '{{package}}' } } });
  const applied = await post<{ problems: { path: string }[] }>('apply', { documents: [wrong] });
  expect(applied.body.problems).toMatchObject([{ path: 'documents/0/spec/undo/parameters/packages' }]);
});

it('[5.1] is not taken back twice, unless that is said; one that was cancelled has taken nothing back', async () => {
  const run = await start('install', { packages: 'htop' }, 'web1');
  await end('web1');
  const view = async () => (await api.ask('GET', `/api/v1/runs/${run}`)).json<{ undoneBy: string[] }>();
  expect((await view()).undoneBy).toEqual([]);
  const undone = (body: object = {}) => post<RunView>(`runs/${run}/undo`, body);
  const cancelled = (await undone()).body;
  expect(cancelled.options).toMatchObject({ undoes: run });
  expect((await view()).undoneBy).toEqual([cancelled.run]);
  expect((await undone()).body.detail).toBe(
    `${cancelled.run} takes ${run} back already: evenkeel runs ${run} --undo --again`,
  );
  await post(`runs/${cancelled.run}/cancel`);
  // The same again is what takes it back, as the first was.
  const taken = (await post<RunView>(`runs/${cancelled.run}/again`)).body.run;
  expect((await post(`runs/${cancelled.run}/again`)).body.detail).toContain('another run does it');
  expect((await undone()).body.detail).toContain(`${taken} takes ${run} back already`);
  await end('web1');
  expect(await undone()).toMatchObject({
    ...{ status: 409, body: { detail: expect.stringContaining(`${taken} has taken ${run} back already`) } },
  });
  expect((await undone({ again: true })).body).toMatchObject({ on: 'web1', counts: { waiting: 1 } });
  const asked = { action: 'restart', parameters: {}, on: 'web1', undoes: run };
  expect((await post('runs', asked)).status).toBe(400);
});

it('[5.1] two who take the same back in the same moment are heard one after the other', async () => {
  const run = await start('install', { packages: 'htop' }, 'web1');
  await end('web1');
  const both = await Promise.all([post(`runs/${run}/undo`), post(`runs/${run}/undo`)]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
});

it('[5.1] is taken back also where a try that failed was followed by one that found nothing to do', async () => {
  const run = await start('install', { packages: 'htop' }, 'web1');
  await end('web1', { end: 'failed', error: { code: 'command-failed', message: 'no' } });
  await post('queues/web1/retry');
  await end('web1', { already: true });
  expect((await post<RunView>(`runs/${run}/undo`)).body).toMatchObject({ on: 'web1' });
});

it('[5.1] what was secret when it was given stays so when the action does not say it any more', async () => {
  const word = (secret: boolean) => ({ parameters: { word: { type: 'text', secret } } });
  const told = action('tell', word(false));
  const login = (secret: boolean) =>
    action('login', { ...word(secret), undo: { action: 'tell', parameters: { word: '{{word}}' } } });
  await declare(api.store, [told, login(true)]);
  const run = await start('login', { word: 'geheim' }, 'web1,web2');
  await end('web1', { end: 'failed', error: { code: 'command-failed', message: 'no' } });
  await post('queues/web2/cancel', {});
  await declare(api.store, [login(false)]);
  await post('queues/web1/retry');
  for (const path of [`runs/${run}`, 'queues/web1'])
    expect((await api.ask('GET', `/api/v1/${path}`)).body).not.toContain('geheim');
  await end('web1');
  const again = await post(`runs/${run}/again`);
  expect([again.status, again.body.detail]).toEqual([409, expect.stringContaining('is secret')]);
  const undone = await post(`runs/${run}/undo`);
  expect([undone.status, undone.body.detail]).toEqual([409, expect.stringContaining('is secret')]);
});
