/** Breath: a change of many sites leaves the event loop to others, is one at a time for each caller, and has an end. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSlices } from '../../../manager/api/change/slices.ts';
import { declare, node, site, startTestApi, type TestApi } from '../../support/api.ts';
import { createManualClock } from '../../support/clock.ts';
import { problemOf } from '../../support/problem.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await declare(api.store, [node('n1', ['web'], '127.0.0.11')]);
});
afterAll(() => api.stop());

const sites = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, at) =>
    site(`s${at}.example`, { aliases: [`www.s${at}.example`], ...more }),
  );
const apply = (documents: unknown[], token = api.tokens.admin, dryRun = true) =>
  api.ask('POST', '/api/v1/apply', { documents, dryRun }, { authorization: `Bearer ${token}` });

/** Works and reads at the same time: how often a read was answered, and for which part of the time at most nobody was. */
async function meanwhile<T>(work: Promise<T>) {
  const began = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  let reads = 0;
  for (; !over; reads += 1) {
    expect((await api.ask('GET', '/api/v1/state')).statusCode).toBe(200);
    await sleep(10);
  }
  delay.disable();
  return { answer: await done, reads, stall: delay.max / 1e6 / (performance.now() - began) };
}

it('[2.8] while twenty thousand sites are tried and compared, reads are answered and nobody waits long', async () => {
  const first = await meanwhile(apply(sites(20_000)));
  expect(first.answer.json()).toMatchObject({ created: 20_000, dryRun: true });
  expect(first.reads).toBeGreaterThan(50);
  expect(first.stall, 'rendered in one go it was the most of it').toBeLessThan(0.25);
}, 120_000);

it('[2.8] a preview in turns shows the same files as one in one go: each changed file whole, once', async () => {
  await declare(api.store, sites(1200));
  const answer = await apply([site('s7.example', { root: '/srv/other' })]);
  const { rendered } = answer.json();
  const files = rendered[0].units.find(({ unit }: { unit: string }) => unit === 'web-nginx').files;
  const shards = files.filter(({ path }: { path: string }) => path.startsWith('sites/'));
  expect(shards).toHaveLength(1);
  expect(shards[0].diff).toContain('/srv/other');
  const shown = (await api.ask('GET', '/api/v1/nodes/n1/render')).json();
  const unit = shown.units.find(({ unit }: { unit: string }) => unit === 'web-nginx');
  const text = unit.files.map(({ text }: { text: string }) => text).join('');
  for (const at of [0, 599, 1199]) expect(text).toContain(`www.s${at}.example`);
});

it('[2.8] a caller has one large change under way at a time; others, and small ones, are not held up', async () => {
  const [first, second, other, small] = await Promise.all([
    apply(sites(3000, { maxBody: '1m' })),
    apply(sites(3000, { maxBody: '2m' })),
    apply(sites(600, { maxBody: '3m' }), api.tokens.operator),
    apply([site('small.example')]),
  ]);
  const codes = [first, second].map(({ statusCode }) => statusCode).sort();
  expect(codes).toEqual([200, 503]);
  const turnedAway = first.statusCode === 503 ? first : second;
  expect(problemOf(turnedAway).code).toBe('busy');
  expect(Number(turnedAway.headers['retry-after'])).toBeGreaterThan(0);
  expect([other.statusCode, small.statusCode]).toEqual([200, 200]);
  expect((await apply(sites(1000, { maxBody: '2m' }))).statusCode).toBe(200);
}, 60_000);

it('[2.8] a change that takes too long is refused and says what to do', async () => {
  const clock = createManualClock();
  const breathe = createSlices(clock, 5000);
  expect(breathe()).toBeUndefined();
  await clock.advance(11);
  expect(breathe()).toBeInstanceOf(Promise);
  await clock.advance(5000);
  expect(breathe).toThrow(/more than 5 s and nothing was changed; apply fewer documents at once/);
});
