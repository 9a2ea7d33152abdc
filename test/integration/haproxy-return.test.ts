/** Members that come back, behind a real HAProxy: they grow to their weight, and those that flap are held. */
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type Bench, createBench, NODES } from './haproxy-bench.ts';

let bench: Bench;
const open = async (pool: { slowStart?: string; holdDown?: { first: string; cap: string } }) => {
  bench = await createBench();
  Object.assign(bench.services[0]!.spec.pool, { holdDown: { first: '0s', cap: '5m' }, ...pool });
  bench.balance.look();
  await untilItHas(allReady);
  // The probes know them all, so that what follows is a fall.
  await until('all are seen well', () => memberNow('node-2')?.probe === 'up');
};
afterEach(() => bench.close());

const allReady = { 'node-1': 'ready 100', 'node-2': 'ready 100', 'node-3': 'ready 100' };
const untilItHas = async (wanted: Record<string, string>) => {
  const same = async () => JSON.stringify(await bench.has()) === JSON.stringify(wanted);
  await until('HAProxy has what is wanted', same).catch(async () =>
    expect(await bench.has()).toEqual(wanted),
  );
};
const memberNow = (node: string) => bench.reports.at(-1)?.members.find((member) => member.node === node);
const said = (node: string) =>
  bench.reports.flatMap(({ members }) => members.filter((member) => member.node === node));

describe('[3.10] behind a real HAProxy', () => {
  it('a member that came back grows to its weight step by step', async () => {
    await open({ slowStart: '6s' });
    await bench.nodes.kill(1);
    await untilItHas({ ...allReady, 'node-2': 'maint' });
    await until('it is reported down', () => memberNow('node-2')?.state === 'down');
    const before = bench.reports.length;
    await bench.nodes.start(1);
    await untilItHas(allReady);
    await until('it is reported', () => memberNow('node-2')?.weight === 100);
    const grown = said('node-2')
      .slice(before)
      .filter(({ state }) => state === 'up');
    const weights = grown.map(({ weight }) => weight);
    expect(weights).toEqual([...weights].sort((a, b) => a - b));
    expect(weights[0]).toBeLessThanOrEqual(30);
    expect(new Set(weights).size).toBeGreaterThan(3);
    expect(grown[0]!.detail).toContain('slow start: at');
    expect(said('node-1').every(({ weight }) => weight === 100)).toBe(true);
  });

  it('a member that flaps is held although its probe passes, and is back when it stayed well', async () => {
    await open({ holdDown: { first: '3s', cap: '5m' } });
    await fallOf(1);
    await untilItHas(allReady);
    expect(said('node-2').some(({ detail }) => detail.includes('held down'))).toBe(false);
    await fallOf(1);
    await until('it is held', () => memberNow('node-2')?.detail.includes('held down') ?? false);
    expect(memberNow('node-2')).toMatchObject({ state: 'down', probe: 'up' });
    expect(await bench.has()).toEqual({ ...allReady, 'node-2': 'maint' });
    await untilItHas(allReady);
  });

  it('the last member is never held, however often it flapped', async () => {
    await open({ holdDown: { first: '5m', cap: '5m' } });
    const all = { 'node-1': 'maint', 'node-2': 'maint', 'node-3': 'maint' };
    for (const _ of NODES) {
      await bench.nodes.killAll();
      await untilItHas(all);
      await bench.nodes.start(2);
      await untilItHas({ ...all, 'node-3': 'ready 100' });
    }
    await until('it is said why', () => memberNow('node-3')?.detail.includes('below its floor') ?? false);
  });
});

const fallOf = async (index: number) => {
  await bench.nodes.kill(index);
  await untilItHas({ ...allReady, [NODES[index]!]: 'maint' });
  await bench.nodes.start(index);
};
