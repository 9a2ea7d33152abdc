/** Which balancer a director drives, what it leaves to the next one, and the page that it serves when nobody is left. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createBalancer } from '../../agent/wiring/balancer.ts';
import { createPage } from '../../agent/wiring/page.ts';
import { createFallback } from '../../common/fallback.ts';
import type { Kind, Resource } from '../../protocol/resource.ts';
import { freePort } from '../integration/web-nodes.ts';
import { createManualClock } from '../support/clock.ts';
import { quiet, temporaryFolder } from '../support/courier.ts';
import { resource, serviceOf } from '../support/lvs.ts';
import { until } from '../support/until.ts';

/** What an agent knows, which a test may change. */
function known(...resources: Resource[]) {
  const state = new Map<string, Resource>();
  const put = (one: Resource) => void state.set(`${one.kind}/${one.name}`, one);
  /** The scopes that have not arrived. */
  const away = new Set<string>();
  for (const one of resources) put(one);
  const desired = {
    get: (kind: Kind, name: string) => state.get(`${kind}/${name}`),
    list: (kind: Kind) => [...state.values()].filter((one) => one.kind === kind),
    stand: (scope: string) => (away.has(scope) ? null : { epoch: 1, rev: 1 }),
  } as unknown as Parameters<typeof createBalancer>[0]['desired'];
  return { desired, put, away };
}

const cluster = (balancer: string, port = 2480) =>
  resource('Cluster', 'cluster', { address: '127.0.0.1', balancer, fallback: { port } });
const director = (roles = ['balancer']) => resource('Node', 'd1', { roles, address: '127.0.0.1' });

async function box() {
  const { folder: run, remove } = await temporaryFolder();
  onTestFinished(remove);
  const { desired, put, away } = known();
  const execute = async () => ({ status: 0, output: '' });
  const clock = createManualClock();
  const balancer = createBalancer({ node: 'd1', desired, run, execute, alarm: () => undefined, clock });
  const tracked = join(run, 'lvs', 'web@n1.down');
  mkdirSync(join(run, 'lvs'));
  const track = () => writeFileSync(tracked, '1\n');
  track();
  const remembered = join(run, 'lvs', 'services');
  return { balancer, put, away, track, isTracked: () => existsSync(tracked), remembered };
}

describe('[3.2] the balancer of a director', () => {
  it('is the one that the Cluster names, on a node of the role; none where somebody else runs it', async () => {
    const { balancer, put } = await box();
    expect(balancer.chosen()).toBeUndefined();
    put(director());
    expect(balancer.chosen()).toBeUndefined();
    for (const one of ['lvs', 'ipvsadm', 'haproxy']) {
      put(cluster(one));
      expect(balancer.chosen()).toBe(one);
    }
    put(cluster('external'));
    expect(balancer.chosen()).toBeNull();
    put(cluster('lvs'));
    put(director(['web']));
    expect(balancer.chosen()).toBeNull();
  });

  it('gives up what it holds when another follows, and nothing while it is not known who', async () => {
    const { balancer, put, track, isTracked, remembered } = await box();
    writeFileSync(remembered, 'tcp 192.0.2.10:80\n');
    await balancer.read();
    expect([isTracked(), balancer.isLeft()]).toEqual([true, true]);
    put(director());
    put(cluster('lvs'));
    await balancer.read();
    expect([isTracked(), balancer.isLeft()]).toEqual([true, true]);
    put(cluster('ipvsadm'));
    await balancer.read();
    expect([isTracked(), balancer.isLeft()]).toEqual([false, true]);
    track();
    put(cluster('haproxy'));
    await balancer.read();
    expect([isTracked(), balancer.isLeft()]).toEqual([false, false]);
  });
});

const statusAt = (port: number): Promise<number | null> =>
  new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? null);
    });
    asked.on('error', () => resolve(null));
  });

it('[3.2] a director that does not know its services yet leaves its table alone', async () => {
  const { balancer, put, away, remembered } = await box();
  writeFileSync(remembered, 'tcp 192.0.2.10:80\n');
  away.add('role/balancer');
  put(director());
  put(cluster('haproxy'));
  expect(balancer.chosen()).toBeUndefined();
  await balancer.read();
  expect(balancer.isLeft()).toBe(true);
  away.clear();
  await balancer.read();
  expect(balancer.isLeft()).toBe(false);
});

describe('[3.3] the fallback page', () => {
  it('of a director of LVS is served by its agent, as long as a service asks for it', async () => {
    const port = await freePort();
    const { desired, put } = known(director(), cluster('lvs', port), serviceOf('web', {}));
    let chosen: 'lvs' | 'haproxy' | undefined = 'lvs';
    const page = createPage({
      node: 'd1',
      desired,
      chosen: () => chosen,
      clock: createManualClock(),
      log: quiet,
    });
    onTestFinished(page.stop);
    page.look();
    await until('it is served', async () => (await statusAt(port)) === 503);
    // Whether a table leads there is not known while nobody knows what is to be balanced.
    chosen = undefined;
    page.look();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await statusAt(port)).toBe(503);
    chosen = 'haproxy';
    page.look();
    await until('it is served no more', async () => (await statusAt(port)) === null);
    chosen = 'lvs';
    put(serviceOf('web', { fallback: 'none' }));
    page.look();
    await page.stop();
    expect(await statusAt(port)).toBeNull();
  });

  it('is served by the second on a box, manager or agent, when the first is gone', async () => {
    const clock = createManualClock();
    const listen = { address: '127.0.0.1', port: await freePort() };
    const [first, second] = [0, 1].map(() => createFallback({ listen, clock, log: quiet }));
    const stopFirst = await first?.start();
    const stopSecond = await second?.start();
    expect([first?.port(), second?.port()]).toEqual([listen.port, 0]);
    await stopFirst?.();
    await clock.advance(1_000);
    await until('the second serves', async () => (await statusAt(listen.port)) === 503);
    await stopSecond?.();
  });
});
