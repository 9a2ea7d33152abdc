/** The queue of a manager: a real store and the API, agents played by hand, and a clock that is moved. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGAIN_MS } from '../../common/queue/command.ts';
import type { QueueAnswer, Try, TryResult } from '../../protocol/queue.ts';
import type { CommandView, QueueView, RunView } from '../../protocol/queue-api.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { tryResult } from '../support/command.ts';
import { policy, template } from '../unit/store/declared.ts';

let api: TestApi;
let clock: ManualClock;
const action = (name: string, spec: object = {}) => ({
  ...{ kind: 'Action' as const, name },
  spec: {
    run: ['true', '{{what}}'],
    parameters: { what: { type: 'text', default: 'x' } },
    idempotent: true,
    ...spec,
  },
});

beforeEach(async () => {
  clock = createManualClock();
  api = await startTestApi({ clock });
  await declare(api.store, [
    ...['web1', 'web2', 'web3'].map((name, at) => node(name, ['web'], `127.0.0.1${at}`)),
    node('lb1', ['balancer'], '127.0.0.20'),
    action('restart'),
    action('pay', { idempotent: false }),
    action('reboot', { access: 'admin', roles: ['web'] }),
  ]);
});
afterEach(() => api.stop());

const UNIT = { unit: { type: 'text' } };

/** An agent with a record of its own, which tells what it is told to tell. */
function agent(name: string) {
  const ledger = randomUUID();
  const pull = (results: TryResult[] = [], working: { run: string; number: number } | null = null) =>
    api.queue.pull(name, { ledger, results, working });
  const end = (one: Try, more: Partial<TryResult> = {}) =>
    pull([tryResult({ run: one.run, number: one.number, output: 'said', ...more })]);
  return { pull, end };
}
const FAILED: Partial<TryResult> = {
  ...{ end: 'failed', status: 1, output: 'no space left' },
  error: { code: 'command-failed', message: 'true ended with 1' },
};
const nextOf = (answer: QueueAnswer): Try => {
  if (answer.next === null) throw new Error('nothing was handed out');
  return answer.next;
};

const post = async <T>(path: string, body: object = {}, token = api.tokens.admin) => {
  const response = await api.ask('POST', path, body, { authorization: `Bearer ${token}` });
  return { status: response.statusCode, body: response.json() as T };
};
const get = async <T>(path: string) => (await api.ask('GET', path)).json() as T;
const start = async (name: string, on: string, more: object = {}) => {
  const { status, body } = await post<RunView & { code: string }>('/api/v1/runs', {
    action: name,
    on,
    ...more,
  });
  if (status !== 200) throw Object.assign(new Error(JSON.stringify(body)), { code: body.code });
  return body;
};
const queueOf = async (name: string) => (await get<{ queue: QueueView }>(`/api/v1/queues/${name}`)).queue;

describe('[5.2] a run', () => {
  it('cascades to the nodes of a role, to all, or to names, and to no node that the action is not for', async () => {
    expect((await start('restart', 'web')).counts).toEqual({ waiting: 3 });
    expect((await start('restart', 'all')).counts).toEqual({ waiting: 4 });
    expect((await start('reboot', 'all')).counts).toEqual({ waiting: 3 });
    expect((await start('restart', 'web1,lb1')).counts).toEqual({ waiting: 2 });
    expect((await start('restart', 'web,lb1')).counts).toEqual({ waiting: 4 });
    await expect(start('reboot', 'lb1')).rejects.toMatchObject({ code: 'bad-request' });
    await expect(start('restart', 'mail')).rejects.toMatchObject({ code: 'bad-request' });
    await expect(start('restrat', 'all')).rejects.toThrow('did you mean restart?');
    await expect(start('restart', 'web1,')).rejects.toThrow('a comma too many');
    await expect(start('restart', 'balancr')).rejects.toThrow('did you mean balancer? use all');
    expect((await queueOf('web1')).waiting).toBe(5);
  });

  it('is refused with every wrong value, and to whom the action is not permitted; nothing is queued then', async () => {
    const wrong = await post<{ code: string; problems: { path: string }[] }>('/api/v1/runs', {
      ...{ action: 'restart', on: 'all' },
      parameters: { what: '-x', other: 1 },
    });
    expect([wrong.status, wrong.body.problems.map(({ path }) => path).sort()]).toEqual([
      ...[400, ['parameters/other', 'parameters/what']],
    ]);
    const denied = await post('/api/v1/runs', { action: 'reboot', on: 'all' }, api.tokens.operator);
    expect(denied.status).toBe(403);
    await declare(api.store, [action('unit', { run: undefined, do: 'unit-restart', parameters: UNIT })]);
    await declare(api.store, [template('main.hbs'), policy('web-nginx', { role: 'web' })]);
    const unit = { parameters: { unit: 'web-nginx' } };
    expect((await start('unit', 'all', unit)).counts).toEqual({ waiting: 3 });
    await expect(start('unit', 'lb1', unit)).rejects.toThrow('lb1 has no unit web-nginx');
    for (const name of ['web1', 'web2', 'web3']) await post(`/api/v1/queues/${name}/cancel`);
    await expect(start('unit', 'all', { parameters: { unit: 'nope' } })).rejects.toThrow(
      'declared by no policy',
    );
    expect((await queueOf('web1')).waiting).toBe(0);
  });
});

describe('[5.2] the queue of a node', () => {
  it('is in order: the next is handed out when the one before has ended well', async () => {
    const [first, second] = [await start('restart', 'web1'), await start('pay', 'web1')];
    const web1 = agent('web1');
    const one = nextOf(await web1.pull());
    expect(one.run).toBe(first.run);
    expect((await web1.pull([], { run: one.run, number: 1 })).next).toBeNull();
    const after = await web1.end(one);
    expect([after.kept, after.next?.run]).toEqual([[`${first.run}/1`], second.run]);
  });

  it('halts at a failure, alone; five minutes later the same is tried again, and when it succeeds the rest goes on', async () => {
    const [first, second] = [await start('restart', 'web'), await start('restart', 'web')];
    const [web1, web2] = [agent('web1'), agent('web2')];
    expect((await web1.end(nextOf(await web1.pull()), FAILED)).next).toBeNull();
    expect(nextOf(await web2.end(nextOf(await web2.pull()))).run).toBe(second.run);
    const halted = await queueOf('web1');
    expect([halted.state, halted.waiting, halted.head?.error?.message]).toEqual([
      ...['halted', 2, 'true ended with 1'],
    ]);
    await clock.advance(AGAIN_MS - 1_000);
    expect((await web1.pull()).next).toBeNull();
    await clock.advance(1_000);
    const again = nextOf(await web1.pull());
    expect([again.run, again.number]).toEqual([first.run, 2]);
    expect(nextOf(await web1.end(again)).run).toBe(second.run);
    const { tries } = await get<{ tries: TryResult[] }>(`/api/v1/runs/${first.run}/nodes/web1`);
    expect(tries.map(({ number, end, output }) => [number, end, output])).toEqual([
      [1, 'failed', 'no space left'],
      [2, 'succeeded', 'said'],
    ]);
  });

  it('is tried again at once by an operator, with other values; skipped with a reason; paused and resumed', async () => {
    await start('restart', 'web1');
    const second = await start('restart', 'web1');
    const web1 = agent('web1');
    await web1.end(nextOf(await web1.pull()), FAILED);
    expect((await post('/api/v1/queues/web1/retry', { parameters: { what: 'y' } })).status).toBe(200);
    const again = nextOf(await web1.pull());
    expect([again.number, again.values]).toEqual([2, { what: 'y' }]);
    await web1.end(again, FAILED);
    await post('/api/v1/queues/web1/pause', { reason: 'look first' });
    expect((await post('/api/v1/queues/web1/skip', { reason: 'done by hand' })).status).toBe(200);
    expect((await web1.pull()).next).toBeNull();
    expect((await queueOf('web1')).state).toBe('paused');
    await post('/api/v1/queues/web1/resume');
    expect(nextOf(await web1.pull()).run).toBe(second.run);
    const { commands } = await get<{ commands: CommandView[] }>('/api/v1/queues/web1');
    expect(commands[1]).toMatchObject({ state: 'skipped', ended: { by: 'admin', reason: 'done by hand' } });
  });

  it('is tried again only by who means the command that is first by now', async () => {
    const [first, second] = [await start('pay', 'web1'), await start('pay', 'web1')];
    const web1 = agent('web1');
    await web1.end(nextOf(await web1.pull()), FAILED);
    const late = await post<{ detail: string }>('/api/v1/queues/web1/retry', { run: second.run });
    expect([late.status, late.body.detail]).toEqual([409, expect.stringContaining(`${first.run} is`)]);
    expect((await post('/api/v1/queues/web1/retry', { run: first.run })).status).toBe(200);
  });

  it('that waits for an action that was wrong goes on with the one that is right, once an operator tries again', async () => {
    await start('restart', 'web1');
    const web1 = agent('web1');
    const wrong = nextOf(await web1.pull());
    await web1.end(wrong, FAILED);
    await declare(api.store, [action('restart', { run: ['true', '--', '{{what}}'] })]);
    await post('/api/v1/queues/web1/retry');
    const right = nextOf(await web1.pull());
    expect([right.run, right.digest === wrong.digest]).toEqual([wrong.run, false]);
    expect(right.digest).toBe(api.store.view().Action.get('restart')?.digest);
  });

  it('stops what runs by its agent, and cancels what waits behind it at once', async () => {
    const [first, second] = [await start('restart', 'web1'), await start('restart', 'web1')];
    const web1 = agent('web1');
    const one = nextOf(await web1.pull());
    const working = { run: one.run, number: one.number };
    expect((await post('/api/v1/queues/web1/cancel', { run: second.run })).status).toBe(200);
    await post('/api/v1/queues/web1/cancel', { reason: 'too slow' });
    expect((await web1.pull([], working)).cancel).toEqual(working);
    await web1.end(one, { end: 'cancelled', status: null });
    const { commands } = await get<{ commands: CommandView[] }>('/api/v1/queues/web1');
    expect(commands.map(({ run, state }) => [run, state])).toEqual([
      [second.run, 'cancelled'],
      [first.run, 'cancelled'],
    ]);
  });

  it('a command that is not begun in its time never is, and what is behind it is', async () => {
    const expires = new Date(clock.now() + 60_000).toISOString();
    await start('restart', 'web1', { expires });
    const second = await start('restart', 'web1');
    await clock.advance(61_000);
    expect(nextOf(await agent('web1').pull()).run).toBe(second.run);
  });

  it('asks a person where an action may not be done twice and nobody knows whether it was', async () => {
    await start('pay', 'web1');
    const web1 = agent('web1');
    const one = nextOf(await web1.pull());
    // The box has another record now: its disk is new.
    expect((await agent('web1').pull()).next).toBeNull();
    expect((await queueOf('web1')).head?.state).toBe('unknown');
    await clock.advance(10 * AGAIN_MS);
    expect((await agent('web1').pull()).next).toBeNull();
    await post('/api/v1/queues/web1/retry');
    expect(nextOf(await agent('web1').pull()).number).toBe(one.number + 1);
  });

  it('no value of a secret parameter is shown anywhere', async () => {
    await declare(api.store, [action('login', { parameters: { what: { type: 'text', secret: true } } })]);
    const { run } = await start('login', 'web1', { parameters: { what: 'geheim' } });
    await agent('web1').pull();
    for (const path of [`runs/${run}`, `runs/${run}/nodes/web1`, 'runs', 'queues', 'queues/web1'])
      expect((await api.ask('GET', `/api/v1/${path}`)).body).not.toContain('geheim');
  });
});
