/** Rolling runs of a manager: what is said of nodes is in the journal, what has begun is in the store, and a restart goes on. */
import { randomUUID } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import type { TryResult } from '../../protocol/queue.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';
import { declare, node } from '../support/api.ts';
import { queueFor } from '../support/api-queue.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { tryResult } from '../support/command.ts';
import { quiet } from '../support/courier.ts';
import { until } from '../support/until.ts';
import { opened } from '../unit/store/opened.ts';

type Store = Awaited<ReturnType<typeof opened>>['store'];
const NAMES = ['web1', 'web2', 'web3'];
const caller = { name: 'ann', role: 'operator' as const };

let clock: ManualClock;
let store: Store;
let happened: string[];
let held: boolean;
/** Names of those that are not heard. */
let away: Set<string>;
/** Names of those that do not converge. */
let ill: Set<string>;
const ledgers = new Map(NAMES.map((name) => [name, randomUUID()]));

beforeEach(async () => {
  clock = createManualClock();
  [happened, held, away, ill] = [[], false, new Set(), new Set()];
  store = (await opened({ clock })).store;
  await declare(store, [
    { kind: 'Cluster', name: 'cluster', spec: { address: '127.0.0.1', balancer: 'haproxy' } },
    ...NAMES.map((name, at) => node(name, ['web'], `127.0.0.1${at}`)),
    { kind: 'Action', name: 'restart', spec: { run: ['true'], idempotent: true } },
  ]);
});

const drainOf = (name: string) => store.view().Node.get(name)?.spec.drain;
const drained = () => NAMES.filter((name) => drainOf(name) !== undefined);
const viewOf = (name: string): NodeView | undefined => {
  const known = store.view().Node.get(name);
  if (!known) return undefined;
  const drain = known.spec.drain ? { drain: `${known.spec.drain.reason} (${known.spec.drain.owner})` } : {};
  const view = {
    name,
    roles: ['web'],
    online: !away.has(name),
    converged: !ill.has(name),
    checks: [],
    ...drain,
  };
  return view as unknown as NodeView;
};
/** A balancer that does at once as it is told. */
const pools = (): PoolView[] => {
  const members = NAMES.map((name) => {
    const state = drainOf(name) ? 'out' : 'up';
    return { node: name, wanted: {}, actual: [{ director: 'lb', state, weight: 1 }] };
  });
  return [{ service: 'shop', seq: 1, members } as unknown as PoolView];
};

/** So many writes a manager still makes before it is dead. */
let left = Number.POSITIVE_INFINITY;
const never = new Promise<never>(() => undefined);
/** Dies before a write, or just after it. */
function mortal<A extends unknown[], T>(write: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  let isDead = false;
  return async (...args) => {
    left -= 1;
    isDead ||= left <= 0;
    if (isDead) return never;
    const written = await write(...args);
    left -= 1;
    isDead ||= left <= 0;
    return isDead ? never : written;
  };
}

/** What happens while a manager has read the commands of a run, and has not seen them yet. */
let reading: ((parts: Pick<ReturnType<typeof queueFor>, 'queue'>) => Promise<void>) | undefined;

/** A manager over the store; another one after it goes on from what is kept. */
async function manager() {
  const ofRun: typeof store.queue.ofRun = async (...asked) => {
    const rows = await store.queue.ofRun(...asked);
    await reading?.(parts);
    return rows;
  };
  const parts = queueFor({
    ...{
      store: {
        ...store,
        write: mortal(store.write),
        queue: { ...store.queue, ofRun, save: mortal(store.queue.save) },
        meta: () => ({ ...store.meta(), ...(held && { mode: 'held' as const }) }),
      },
    },
    ...{ nodes: { one: viewOf }, pools: { views: pools }, clock, log: quiet },
    ...{ doctor: { node: () => Promise.reject(new Error('nobody looks')) } },
    events: { emit: ({ type, node: of = '' }) => void happened.push(`${type} ${of}`.trim()) },
  });
  const stop = await parts.start();
  return { ...parts, stop };
}
type Manager = Awaited<ReturnType<typeof manager>>;

const pull = (to: Manager, name: string, results: TryResult[] = []) =>
  to.queue.pull(name, { ledger: ledgers.get(name) ?? '', results, working: null });
/** A node does what it is handed. @returns whether it was handed anything */
async function works(to: Manager, name: string, end: TryResult['end'] = 'succeeded'): Promise<boolean> {
  const { next } = await pull(to, name);
  if (next === null) return false;
  const error = end === 'succeeded' ? null : { code: 'command-failed', message: 'no' };
  await pull(to, name, [tryResult({ run: next.run, number: next.number, end, error })]);
  return true;
}
const phases = async (of: Manager, run: string) =>
  (await of.runs.one(run)).commands.map(({ turn }) => turn?.phase).join();
const becomes = (of: Manager, run: string, wanted: string) =>
  until(`it is ${wanted}`, async () => {
    await clock.advance(1_000);
    return (await phases(of, run)) === wanted;
  });
const begin = (on: Manager, more: object = {}, nodes = 'web') =>
  on.runs.start(
    {
      ...{ action: 'restart', on: nodes, parameters: {}, jitter: 0 },
      rolling: { size: '1', drain: '30s', stopAfter: 1, ...more },
    },
    caller,
  );

it('[5.4] nodes get their command one after the other, each drained by a word of the run and given back', async () => {
  const one = await manager();
  const { run } = await begin(one);
  await becomes(one, run, 'open,waits,waits');
  expect(drainOf('web1')).toMatchObject({ reason: `run ${run}: restart`, owner: 'ann' });
  expect(await works(one, 'web2')).toBe(false);
  for (const [at, name] of NAMES.entries()) {
    await becomes(
      one,
      run,
      NAMES.map((_, other) => (other < at ? 'done' : other === at ? 'open' : 'waits')).join(),
    );
    expect(drained()).toEqual([name]);
    expect(await works(one, name)).toBe(true);
  }
  await becomes(one, run, 'done,done,done');
  expect([drained(), happened]).toEqual([[], ['run.ended']]);
  await one.stop();
});

it('[5.4] a manager that begins anew goes on with what it finds, and gives back what an earlier one has drained', async () => {
  const first = await manager();
  const { run } = await begin(first);
  await becomes(first, run, 'open,waits,waits');
  await works(first, 'web1');
  await first.stop();
  expect(drained()).toEqual(['web1']);
  const second = await manager();
  await becomes(second, run, 'settles,waits,waits');
  expect(drained()).toEqual([]);
  await second.stop();
  const third = await manager();
  await becomes(third, run, 'done,open,waits');
  await third.runs.cancelRun(run, 'enough', caller);
  await becomes(third, run, 'done,done,done');
  expect(drained()).toEqual([]);
  await third.stop();
});

it('[5.4] a failure stops it and is told once, skipping goes on, and a held manager moves nothing', async () => {
  const one = await manager();
  const { run } = await begin(one);
  await becomes(one, run, 'open,waits,waits');
  await works(one, 'web1', 'failed');
  await clock.advance(60_000);
  expect(await phases(one, run)).toBe('open,waits,waits');
  expect(happened.filter((type) => type.startsWith('run.'))).toEqual(['run.stopped']);
  held = true;
  await one.queue.skip('web1', { by: 'ann', reason: 'by hand' });
  await clock.advance(60_000);
  expect([await phases(one, run), drained()]).toEqual(['open,waits,waits', ['web1']]);
  held = false;
  await becomes(one, run, 'done,open,waits');
  expect(happened.filter((type) => type.startsWith('run.'))).toEqual(['run.stopped', 'run.resumed']);
  await one.stop();
});

it('[5.4] what would only keep a drained node waiting is refused, and a held manager takes no word', async () => {
  const one = await manager();
  const idle = {
    ...{ action: 'restart', on: 'web', parameters: {} },
    rolling: { size: '1', drain: '30s', stopAfter: 1 },
  };
  await expect(one.runs.start({ ...idle, jitter: 1_000 }, caller)).rejects.toMatchObject({
    ...{ code: 'bad-request', message: expect.stringContaining('leave out jitter or drain') },
  });
  const { run } = await begin(one);
  held = true;
  const words = [
    begin(one),
    one.runs.cancelRun(run, '', caller),
    one.runs.skip('web1', { reason: 'x' }, caller),
    one.runs.cancel('web1', { reason: 'x' }, caller),
    one.runs.retry('web1', { parameters: {} }, caller),
    one.runs.pause('web1', 'x', caller),
    one.runs.resume('web1', caller),
  ];
  for (const word of words) await expect(word).rejects.toMatchObject({ code: 'manager-held' });
  expect((await one.runs.list({ limit: 50 })).items).toHaveLength(1);
  held = false;
  await one.stop();
});

it('[5.4] a run that has stopped is cancelled whole: nobody has his turn since the one that failed is over', async () => {
  const one = await manager();
  const { run } = await begin(one);
  await becomes(one, run, 'open,waits,waits');
  await works(one, 'web1', 'failed');
  await clock.advance(5_000);
  await one.runs.cancelRun(run, 'wrong', caller);
  await becomes(one, run, 'done,done,done');
  const { commands } = await one.runs.one(run);
  expect(commands.map(({ state, number }) => [state, number])).toEqual([
    ['cancelled', 1],
    ['cancelled', 0],
    ['cancelled', 0],
  ]);
  expect([drained(), happened.filter((type) => type.startsWith('run.'))]).toEqual([
    [],
    ['run.stopped', 'run.ended'],
  ]);
  await one.stop();
});

it('[5.4] a node that is removed while its turn lasts ends it, and its commands are cancelled', async () => {
  const one = await manager();
  const { run } = await begin(one);
  await becomes(one, run, 'open,waits,waits');
  const edit = { op: 'delete' as const, kind: 'Node' as const, name: 'web1', where: '' };
  await store.write({ actor: 'ann', edits: [edit], guard: 'forced' });
  await becomes(one, run, 'done,open,waits');
  expect((await one.runs.one(run)).commands[0]).toMatchObject({
    ...{ state: 'cancelled', ended: { by: 'manager', reason: 'the node was removed' } },
  });
  await one.stop();
});

it('[5.4] runs that are begun at once drain no pool empty: what one takes, the others know of', async () => {
  const one = await manager();
  const runs = [];
  for (const on of NAMES) runs.push((await begin(one, {}, on)).run);
  await becomes(one, runs[0] ?? '', 'open');
  await clock.advance(60_000);
  expect(drained()).toEqual(['web1']);
  expect((await one.runs.one(runs[1] ?? '')).commands[0]?.turn).toMatchObject({
    ...{ phase: 'waits', why: 'web1 is away, and half of shop is to serve' },
  });
  for (const [at, name] of NAMES.entries()) {
    await becomes(one, runs[at] ?? '', 'open');
    expect(drained()).toEqual([name]);
    await works(one, name);
    await becomes(one, runs[at] ?? '', 'done');
  }
  await one.stop();
});

it('[5.4] a manager that dies before, between and after the drain and its notes goes on as if it had not', async () => {
  const turnOf = async (of: Manager, run: string) => (await of.runs.one(run)).commands[0]?.turn;
  for (let writes = 1; writes <= 4; writes += 1) {
    const first = await manager();
    const { run } = await begin(first);
    left = writes;
    await clock.advance(3_000);
    left = Number.POSITIVE_INFINITY;
    const second = await manager();
    await becomes(second, run, 'open,waits,waits');
    expect([drained(), await turnOf(second, run)]).toMatchObject([['web1'], { drained: true }]);
    for (const name of NAMES)
      await until(name, async () => {
        await clock.advance(1_000);
        return works(second, name);
      });
    await becomes(second, run, 'done,done,done');
    expect(drained()).toEqual([]);
    await second.stop();
  }
});

it('[5.4] a node that does not get well holds up no run that is to mend it, and a run is let go of by cancelling it', async () => {
  const one = await manager();
  const first = await begin(one, {}, 'web1');
  await becomes(one, first.run, 'open');
  await works(one, 'web1');
  ill.add('web1');
  const mends = await begin(one, {}, 'web1');
  await until('it waits for the other', async () => {
    await clock.advance(1_000);
    return (await one.runs.one(mends.run)).commands[0]?.turn?.why === 'another run has it in hand';
  });
  await becomes(one, mends.run, 'open');
  await works(one, 'web1');
  expect(await phases(one, first.run)).toBe('settles');
  await one.runs.cancelRun(first.run, 'it is gone', caller);
  await becomes(one, first.run, 'done');
  await expect(one.runs.cancelRun(first.run, 'again', caller)).rejects.toMatchObject({
    code: 'not-possible',
  });
  await one.stop();
});

it('[5.4] what a node tells while a manager reads its runs is heard', async () => {
  const first = await manager();
  const { run } = await begin(first, { drain: undefined });
  await becomes(first, run, 'open,waits,waits');
  const { next } = await pull(first, 'web1');
  await first.stop();
  reading = async ({ queue }) => {
    reading = undefined;
    const results = [tryResult({ run, number: next?.number ?? 0 })];
    await queue.pull('web1', { ledger: ledgers.get('web1') ?? '', results, working: null });
  };
  const second = await manager();
  await becomes(second, run, 'done,open,waits');
  await second.stop();
});

it.each([
  ['and drains as well', {}],
  ['and drains nothing', { drain: undefined }],
])(
  '[5.4] two runs over the same nodes, the second behind the first %s: each node does both, in this order',
  async (_, more) => {
    const one = await manager();
    const [first, second] = [await begin(one), await begin(one, more)];
    const did: string[] = [];
    away.add('web1');
    await until('all is done', async () => {
      await clock.advance(1_000);
      if (did.length === 2) away.clear();
      for (const name of NAMES) {
        const before = one.queue.line(name)[0]?.run ?? '';
        const isDrained = drainOf(name)?.reason.startsWith(`run ${before}: `) ?? false;
        if (!away.has(name) && (await works(one, name))) did.push(`${name} ${before} ${isDrained}`);
      }
      return (
        (await phases(one, first.run)) === 'done,done,done' &&
        (await phases(one, second.run)) === 'done,done,done'
      );
    });
    for (const name of NAMES)
      expect(did.filter((text) => text.startsWith(name))).toEqual([
        `${name} ${first.run} true`,
        `${name} ${second.run} ${!('drain' in more)}`,
      ]);
    expect(did[0]).toBe(`web2 ${first.run} true`);
    await one.stop();
  },
);
