/** A director whose manager is silent, before a real HAProxy: it asks the nodes themselves how they are. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Word } from '../../agent/listener/answer.ts';
import { createListener } from '../../agent/listener/listener.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { until } from '../support/until.ts';
import { type Bench, createBench, NODES } from './haproxy-bench.ts';
import { ask } from './web-nodes.ts';

const UP: Word = { status: 200, line: 'up' };
const DOWN: Word = { status: 503, line: 'data is down' };
const ready = Object.fromEntries(NODES.map((name) => [name, 'ready 100']));

let bench: Bench;
/** What each node answers about itself. */
let words: Word[];
let questions: string[];
let stops: (() => Promise<void>)[];

const listen = (index: number) => {
  const listener = createListener({
    place: () => ({ address: bench.nodes.addresses[index]!, port: bench.healthPort }),
    answer: ({ name, role }) => {
      questions.push(`${name} ${role}`);
      return words[index]!;
    },
    failed: () => undefined,
    clock: systemClock,
    log: createLog('test', 'silent'),
  });
  stops[index] = listener.start();
};

beforeEach(async () => {
  words = NODES.map(() => UP);
  questions = [];
  stops = [];
  bench = await createBench();
  for (const index of NODES.keys()) listen(index);
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await bench.close();
});

const untilItHas = async (wanted: Record<string, string>) => {
  const has = async () => JSON.stringify(await bench.has()) === JSON.stringify({ ...ready, ...wanted });
  await until('HAProxy has what is wanted', has).catch(async () =>
    expect(await bench.has()).toEqual({ ...ready, ...wanted }),
  );
};
/** So many further rounds of questions. */
const untilAsked = async (rounds: number) => {
  const wanted = questions.length + rounds * NODES.length;
  await until('the nodes were asked', () => questions.length >= wanted);
};
const reasonOf = (node: string) =>
  bench.reports.at(-1)?.members.find((member) => member.node === node)?.detail;

describe('[3.6] with the manager gone', () => {
  it('a node that says of itself that it cannot serve leaves, though its port answers, and comes back', async () => {
    await untilItHas({});
    words[1] = DOWN;
    await untilItHas({ 'node-2': 'maint' });
    expect(await ask(bench.nodes.addresses[1]!, bench.nodes.port)).toMatchObject({ status: 200 });
    await until('it is reported with the reason', () => reasonOf('node-2') === 'reports speak against it');
    expect(questions[0]).toBe('http web');
    words[1] = UP;
    await untilItHas({});
  });

  it('nobody is taken when all say at once that they cannot serve', async () => {
    await untilItHas({});
    await untilAsked(2);
    words = NODES.map(() => DOWN);
    await untilAsked(4);
    expect(await bench.has()).toEqual(ready);
    await until('it is said why', () => reasonOf('node-1')?.includes('set aside') === true);
  });

  it('a listener that is silent, or knows nothing of the service, changes nothing', async () => {
    await untilItHas({});
    await stops[0]!();
    words[1] = { status: 404, line: 'no such service' };
    words[2] = DOWN;
    await untilItHas({ 'node-3': 'maint' });
    expect(await bench.has()).toMatchObject({ 'node-1': 'ready 100', 'node-2': 'ready 100' });
  });

  it('who was out by his own word and falls silent comes back: silence is no opinion', async () => {
    await untilItHas({});
    words[0] = DOWN;
    await untilItHas({ 'node-1': 'maint' });
    await stops[0]!();
    await untilItHas({});
  });

  it('who is out by the word of the manager stays out when that lapses, where he says the same of himself', async () => {
    words[1] = DOWN;
    bench.say({ 'node-2': { opinion: 'down' } });
    bench.beat(4);
    await untilItHas({ 'node-2': 'maint' });
    // The lease runs out in between; whenever one looks, the member is out.
    for (const until = performance.now() + 5_000; performance.now() < until; ) {
      expect((await bench.has())['node-2']).toBe('maint');
      await systemClock.sleep(20);
    }
    await until('the lease has run out and the node was asked', () => questions.length > 0);
    words[1] = UP;
    await untilItHas({});
  });
});

describe('[3.6] with the manager there', () => {
  it('its word counts, and nobody else is asked', async () => {
    words = NODES.map(() => DOWN);
    bench.say({ 'node-3': { opinion: 'down' } });
    const beat = setInterval(() => bench.beat(5), 500);
    bench.beat(5);
    await untilItHas({ 'node-3': 'maint' });
    questions.length = 0;
    await systemClock.sleep(2_500);
    clearInterval(beat);
    expect(questions).toEqual([]);
    expect(await bench.has()).toEqual({ ...ready, 'node-3': 'maint' });
  });
});
