/** The whole circle: a node's report, the manager's pool state, the director, HAProxy, and back to what people see. */
import { generateKeyPairSync } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../common/clock.ts';
import { open, seal } from '../../common/envelope.ts';
import { createLog } from '../../common/log.ts';
import { createObserved, type Observed } from '../../manager/health/observed.ts';
import { createPools, firstNumberOf, type Pools } from '../../manager/pool/pools.ts';
import { type Envelope, Lease, PoolState, type Report } from '../../protocol/messages.ts';
import { parseResource, type ResourceOf } from '../../protocol/resource.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { until } from '../support/until.ts';
import { type Bench, createBench, NODES } from './haproxy-bench.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const shapes = { pool: Compile(PoolState), lease: Compile(Lease) };

let undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const act of undo.reverse()) await act();
  undo = [];
});

const policy = parseResource({
  kind: 'Policy',
  name: 'web-nginx',
  spec: {
    role: 'web',
    files: [{ template: 'a.hbs', path: 'a' }],
    checks: [{ name: 'http', type: 'tcp', port: '80' }],
  },
});

let count = 0;
const base = () => ({ id: `r${++count}`, session: 's', at: new Date().toISOString() });

/** What travels over the broker, without the broker. */
function deliver(bench: Bench, topic: string, envelope: Envelope): void {
  if (parseTopic(topic)?.name === 'lease')
    bench.balance.lease(open(envelope, publicKey, (value): value is Lease => shapes.lease.Check(value)));
  else
    bench.balance.poolState(
      open(envelope, publicKey, (value): value is PoolState => shapes.pool.Check(value)),
    );
}

async function circle(): Promise<{
  bench: Bench;
  observed: Observed;
  pools: Pools;
  say: (node: string, state: 'up' | 'down') => void;
}> {
  const observed = createObserved({ clock: systemClock, emit: () => undefined, headsOf: () => [] });
  const bench = await createBench({
    send: (report) => observed.report('lb', { ...base(), ...report }),
  });
  if (!policy.ok) throw new Error('the policy is not right');
  const pools = createPools({
    cluster: 'test',
    epoch: () => 1,
    firstNumber: firstNumberOf(1),
    world: {
      virtualServices: () => bench.services,
      nodes: () => bench.members,
      policies: () => [policy.resource as ResourceOf<'Policy'>],
      cluster: () => undefined,
    },
    observed,
    sign: (message) => seal(message, privateKey),
    publish: async (topic, envelope) => deliver(bench, topic, envelope),
    clear: async () => undefined,
    hint: () => undefined,
    emit: () => undefined,
    clock: systemClock,
    log: createLog('test', 'silent'),
  });
  const say = (node: string, state: 'up' | 'down') => {
    const report: Report = {
      ...base(),
      type: 'check',
      unit: 'web-nginx',
      check: 'http',
      state,
      detail: 'the disk is full',
    };
    observed.report(node, report);
  };
  for (const name of [...NODES, 'lb'])
    observed.status(name, { session: 's', state: 'online', version: '1', protocol: 1, scopes: {} });
  for (const name of NODES) say(name, 'up');
  undo.push(bench.close, pools.start());
  return { bench, observed, pools, say };
}

const shown = (pools: Pools) =>
  pools.views()[0]?.members.map(({ node, wanted, actual }) => [node, wanted.opinion, actual[0]?.state]);

describe('[2.7] the circle', () => {
  it('takes a node out by its report, shows what HAProxy really has, and takes it in again', async () => {
    const { bench, pools, say } = await circle();
    const all = (state: string, opinion = 'up') => NODES.map((node) => [node, opinion, state]);
    const isShown = (wanted: unknown) => JSON.stringify(shown(pools)) === JSON.stringify(wanted);
    await until('all are in', () => isShown(all('up')));
    say('node-2', 'down');
    await until('node-2 is out', () => isShown([all('up')[0], ['node-2', 'down', 'down'], all('up')[2]]));
    expect(await bench.has()).toMatchObject({
      'node-1': 'ready 100',
      'node-2': 'maint',
      'node-3': 'ready 100',
    });
    const [view] = pools.views();
    expect(view?.members[1]?.wanted.reasons).toEqual(['web-nginx/http is down: the disk is full']);
    expect(view?.members[1]?.actual[0]).toMatchObject({ director: 'lb', probe: 'up', seq: view?.seq });
    say('node-2', 'up');
    await until('all are in again', () => isShown(all('up')));
  });

  it('does not empty a pool whose every member is reported down, and says that reports are set aside', async () => {
    const { bench, pools, say } = await circle();
    const allAreIn = () => shown(pools)?.every(([, , state]) => state === 'up') === true;
    await until('all are in', allAreIn);
    for (const name of NODES) say(name, 'down');
    await until('only the probes count', () => pools.views()[0]?.probesOnly === true);
    await until('all are in', async () =>
      Object.values(await bench.has()).every((word) => word === 'ready 100'),
    );
    expect(pools.views()[0]).toMatchObject({ fallback: false, probesOnly: true });
  });
});
