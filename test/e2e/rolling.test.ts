/** A restart of every web server while visitors come: a few at a time no request fails; all at once, some do. */
import { beforeAll, expect, it } from 'vitest';
import { NODE_HEADER } from '../../cli/sandbox/ready.ts';
import { systemClock } from '../../common/clock.ts';
import type { BodyOf } from '../../protocol/endpoints.ts';
import type { NodeView } from '../../protocol/views.ts';
import { isFailure, startLoad } from '../support/load.ts';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const RATE = 200;
const NAMES = ['n1', 'n2', 'n3'];
const sandbox = useSandbox();

beforeAll(async () => {
  const spec = { do: 'unit-restart', parameters: { unit: { type: 'text' } }, idempotent: true };
  await sandbox()
    .client()
    .call('apply', { body: { documents: [{ kind: 'Action', name: 'renew', spec }] } });
});

const start = async (options: Partial<BodyOf<'runStart'>>) => {
  const body = { action: 'renew', on: 'web', parameters: { unit: 'web-nginx' }, jitter: 0, ...options };
  return (await sandbox().client().call('runStart', { body })).run;
};
const commandsOf = async (run: string) =>
  (await sandbox().client().call('run', { params: { run } })).commands;
const drained = ({ drain }: NodeView) => drain !== undefined;
const pidOf = async (name: string) => {
  const node = sandbox()
    .up()
    .nodes.find((one) => one.name === name);
  const { stdout } = await sandbox().cli([
    ...['-o', 'json', 'local', '--run', sandbox().path(`${node?.root}/run`)],
    'status',
  ]);
  return (JSON.parse(stdout) as { services: { pid: number }[] }).services[0]?.pid;
};

/** Requests while the work goes on. @returns how many there were, and how many failed */
async function underLoad(work: () => Promise<void>): Promise<{ sent: number; failed: number }> {
  const load = startLoad({
    ...{ url: `${sandbox().up().balancer}/`, rate: RATE, clock: systemClock, nodeHeader: NODE_HEADER },
  });
  try {
    await systemClock.sleep(1_000);
    await work();
    await systemClock.sleep(2_000);
  } finally {
    await load.stop();
  }
  return { sent: load.samples.length, failed: load.samples.filter(isFailure).length };
}

it('[5 must show] a rolling restart of three web servers under load loses no request, and drains one at a time', {
  timeout: 240_000,
}, async () => {
  const before = await Promise.all(NAMES.map(pidOf));
  let most = 0;
  const { sent, failed } = await underLoad(async () => {
    const run = await start({ rolling: { size: '1', drain: '5s', stopAfter: 1 } });
    await until(
      'every node is done with',
      async () => {
        const { items } = await sandbox().client().call('nodes');
        most = Math.max(most, items.filter(drained).length);
        return (await commandsOf(run)).every(({ turn }) => turn?.phase === 'done');
      },
      200_000,
    );
    expect((await commandsOf(run)).map(({ state }) => state)).toEqual(NAMES.map(() => 'succeeded'));
  });
  process.stdout.write(`rolling restart of ${NAMES.length} nodes: ${failed} of ${sent} requests failed\n`);
  expect(failed).toBe(0);
  expect(most).toBe(1);
  expect((await sandbox().client().call('nodes')).items.filter(drained)).toEqual([]);
  const after = await Promise.all(NAMES.map(pidOf));
  for (const [at, pid] of after.entries()) expect(pid).not.toBe(before[at]);
  const { items } = await sandbox()
    .client()
    .call('events', { query: { type: 'run.ended' } });
  expect(items[0]?.message).toBe('renew on web is over: done on 3 of 3 nodes');
});

it('[5 must show] for comparison, all at once: requests fail while nobody serves', {
  timeout: 240_000,
}, async () => {
  const atOnce = () =>
    underLoad(async () => {
      const run = await start({});
      await until(
        'all have restarted',
        async () => (await commandsOf(run)).every(({ state }) => state === 'succeeded'),
        40_000,
      );
    });
  let lost = await atOnce();
  // On a busy machine three that were told at once may begin one after the other, and somebody always serves.
  for (let times = 1; lost.failed === 0 && times < 5; times += 1) lost = await atOnce();
  const { sent, failed } = lost;
  process.stdout.write(`restart of ${NAMES.length} nodes at once: ${failed} of ${sent} requests failed\n`);
  expect(failed).toBeGreaterThan(0);
});
