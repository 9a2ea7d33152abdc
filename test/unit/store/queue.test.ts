/** The queue on disk: what is kept of runs, commands and tries, for how long, and how much of it. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Command } from '../../../common/queue/command.ts';
import type { Run } from '../../../common/queue/run.ts';
import { openDb } from '../../../manager/store/db.ts';
import { createQueueRows } from '../../../manager/store/queue.ts';
import type { TryResult } from '../../../protocol/queue.ts';
import { createManualClock } from '../../support/clock.ts';
import { tryResult, waitingCommand } from '../../support/command.ts';
import { opened } from './opened.ts';

const DAY = 86_400_000;
const AT = '2026-01-01T00:00:00.000Z';
const runOf = (id: string): Run => ({
  ...{ id, action: 'act', digest: 'd', values: { a: 'ü"\\' }, actor: 'ann', at: AT, selector: 'all' },
  spec: { run: ['true'], parameters: {} } as unknown as Run['spec'],
  options: { jitter: 0 },
});
const commandOf = (run: string, node: string) => waitingCommand({ run, node, at: AT });
const resultOf = (run: string, number: number): TryResult =>
  tryResult({ run, number, end: 'failed', status: 1, output: `try ${number}\n`, from: AT, to: AT });

it('[5.2] keeps what it was given across a restart, in its order', async () => {
  const { store, file } = await opened();
  const [one] = await store.queue.add(runOf('r1'), [commandOf('r1', 'web1'), commandOf('r1', 'web2')]);
  await store.queue.add(runOf('r2'), [commandOf('r2', 'web1')]);
  if (!one) throw new Error('nothing was added');
  const failed: Command = { ...one, state: 'failed', number: 1 };
  await store.queue.save([{ command: failed, result: resultOf('r1', 1) }]);
  await store.queue.pause({ node: 'web2', reason: 'look', owner: 'ann', since: AT });
  await store.close();
  const { queue } = (await opened({ file })).store;
  const { commands, paused } = await queue.load();
  expect(commands.map(({ run, node, state }) => [run, node, state])).toEqual([
    ['r1', 'web1', 'failed'],
    ['r1', 'web2', 'waiting'],
    ['r2', 'web1', 'waiting'],
  ]);
  expect(paused).toEqual([{ node: 'web2', reason: 'look', owner: 'ann', since: AT }]);
  expect((await queue.run('r1'))?.values).toEqual({ a: 'ü"\\' });
  expect(await queue.tries('r1', 'web1')).toEqual([resultOf('r1', 1)]);
  expect(Object.fromEntries(await queue.counts(['r1', 'r2', 'gone']))).toEqual({
    r1: { failed: 1, waiting: 1 },
    r2: { waiting: 1 },
    gone: {},
  });
});

it('[5.2] a result that is told twice is one', async () => {
  const { store } = await opened();
  const [one] = await store.queue.add(runOf('r1'), [commandOf('r1', 'web1')]);
  if (!one) throw new Error('nothing was added');
  for (let times = 0; times < 2; times += 1)
    await store.queue.save([{ command: one, result: resultOf('r1', 1) }]);
  expect(await store.queue.tries('r1', 'web1')).toHaveLength(1);
});

it('[5.2] forgets what ended three months ago, never what is open, and all but the newest tries', async () => {
  const clock = createManualClock();
  const { store } = await opened({ clock });
  const [old, open] = await store.queue.add(runOf('r1'), [commandOf('r1', 'web1'), commandOf('r1', 'web2')]);
  const [ended] = await store.queue.add(runOf('r2'), [commandOf('r2', 'web1')]);
  if (!old || !open || !ended) throw new Error('nothing was added');
  for (let number = 1; number <= 25; number += 1)
    await store.queue.save([
      { command: { ...open, state: 'failed', number }, result: resultOf('r1', number) },
    ]);
  await store.queue.save([
    { command: { ...old, state: 'succeeded' }, result: resultOf('r1', 1) },
    { command: { ...ended, state: 'skipped' } },
  ]);
  await clock.advance(91 * DAY);
  await store.prune();
  expect((await store.queue.ofRun('r1')).map(({ node }) => node)).toEqual(['web2']);
  expect(await store.queue.run('r2')).toBeUndefined();
  expect(await store.queue.tries('r1', 'web1')).toEqual([]);
  const kept = (await store.queue.tries('r1', 'web2')).map(({ number }) => number);
  expect([kept.length, kept.at(0), kept.at(-1)]).toEqual([20, 6, 25]);
});

const SECRET = 'hunter2-and-a-half';
const parameters = { user: { type: 'text', secret: false }, word: { type: 'text', secret: true } };
const secretRun = (id: string): Run => ({
  ...runOf(id),
  spec: { run: ['true'], parameters } as unknown as Run['spec'],
  values: { user: 'ann', word: SECRET },
});
const secretCommand = (run: string, node: string) => ({
  ...commandOf(run, node),
  ...{ values: { user: 'ann', word: SECRET }, hidden: ['word'] },
});

it('[5.2] a secret is kept while its command is open, and no longer; that of a run, until each of its commands is over', async () => {
  const { store } = await opened();
  const { queue } = store;
  const [one, two] = await queue.add(
    secretRun('r1'),
    ['web1', 'web2'].map((node) => secretCommand('r1', node)),
  );
  if (!one || !two) throw new Error('nothing was added');
  const values = async () => [
    (await queue.run('r1'))?.values,
    ...(await queue.ofRun('r1')).map((command) => command.values),
  ];
  const [whole, shown] = [{ user: 'ann', word: SECRET }, { user: 'ann' }];
  await queue.save([{ command: { ...one, state: 'failed', number: 1 }, result: resultOf('r1', 1) }]);
  expect(await values()).toEqual([whole, whole, whole]);
  await queue.save([{ command: { ...one, state: 'succeeded' } }]);
  expect(await values()).toEqual([whole, shown, whole]);
  // The turn of a rolling run is noted of a command that is over, as it was before.
  await queue.save([
    { command: { ...one, state: 'succeeded' } },
    { command: { ...two, state: 'cancelled' } },
  ]);
  expect(await values()).toEqual([shown, shown, shown]);
});

it('[5.2] and then it is nowhere in the file', async () => {
  const { store, file } = await opened();
  for (const id of ['r1', 'r2', 'r3']) {
    const nodes = Array.from({ length: 20 }, (_, at) => `web${at}`);
    const made = await store.queue.add(
      secretRun(id),
      nodes.map((node) => secretCommand(id, node)),
    );
    await store.queue.save(made.map((command) => ({ command: { ...command, state: 'running', number: 1 } })));
    await store.queue.save(
      made.map((command) => ({ command: { ...command, state: 'succeeded', number: 1 } })),
    );
  }
  await store.close();
  expect((await readFile(file)).includes(SECRET)).toBe(false);
});

it('[5.2] of all that commands have said the newest is kept, so many bytes; how each try ended, and how much it said, for all', async () => {
  const clock = createManualClock();
  const { store, file } = await opened({ clock });
  const db = await openDb(file);
  const queue = createQueueRows({ db, clock, keepBytes: 10_000 });
  const output = 'ü'.repeat(500);
  const nodes = Array.from({ length: 250 }, (_, at) => `web${at}`);
  for (const command of await queue.add(
    runOf('r1'),
    nodes.map((node) => commandOf('r1', node)),
  )) {
    await clock.advance(1_000);
    await queue.save([
      { command: { ...command, state: 'succeeded' }, result: { ...resultOf('r1', 1), output, omitted: 7 } },
    ]);
  }
  await queue.prune();
  const said = await Promise.all(nodes.map(async (node) => (await queue.tries('r1', node))[0]));
  const empty = { ...resultOf('r1', 1), output: '', omitted: 507 };
  expect(said.slice(0, 240)).toEqual(Array(240).fill(empty));
  expect(said.slice(240)).toEqual(Array(10).fill({ ...empty, output, omitted: 7 }));
  await db.close();
  await store.close();
});
