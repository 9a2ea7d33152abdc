/** Balancing with a real HAProxy and real nodes: what is decided is what the balancer has, and what it has is reported. */
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { membership } from '../../common/health/membership.ts';
import { until } from '../support/until.ts';
import { type Bench, type BenchOptions, createBench, NODES } from './haproxy-bench.ts';
import { ask } from './web-nodes.ts';

let bench: Bench;
const open = async (options: BenchOptions = {}) => {
  bench = await createBench(options);
  return bench;
};
afterEach(() => bench.close());

const allReady = { 'node-1': 'ready 100', 'node-2': 'ready 100', 'node-3': 'ready 100' };
const visit = (path?: string) => ask('127.0.0.1', bench.port, path);
const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const untilItHas = async (wanted: Record<string, string>) => {
  const had = until('HAProxy has what is wanted', async () => isSame(await bench.has(), wanted));
  await had.catch(async () => expect(await bench.has()).toEqual(wanted));
};
const untilReported = async (wanted: Record<string, string>) => {
  const said = () => (bench.reports.at(-1)?.members ?? []).map(({ node, state }) => [node, state]);
  await until('the director reports it', () => isSame(Object.fromEntries(said()), wanted));
  return bench.reports.at(-1)!;
};
/** Each node holds one connection, as the nodes are asked in turn. */
const untilAllAreHeld = () =>
  until('every node holds a connection', async () => {
    const rows = (await bench.driver.read()) ?? [];
    return rows.filter(({ sessions }) => sessions > 0).length === NODES.length;
  });

describe('[2.7] a pool behind a real HAProxy', () => {
  it('loses a node that is killed, serves on without it, and has it back when it is well', async () => {
    await open();
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
    await bench.nodes.kill(1);
    await untilItHas({ ...allReady, 'node-2': 'maint' });
    const report = await untilReported({ 'node-1': 'up', 'node-2': 'down', 'node-3': 'up' });
    expect(report.members[1]).toMatchObject({ probe: 'down', weight: 0 });
    expect(report.members[1]?.detail).toMatch(/the probe of this director fails, port \d+: \S/);
    const answers = await Promise.all(Array.from({ length: 12 }, () => visit()));
    expect(answers.every(({ status, node }) => status === 200 && node !== 'node-2')).toBe(true);
    await bench.nodes.start(1);
    await untilItHas(allReady);
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
  });

  it('says of a HAProxy that hangs that nothing is known of what it has, and soon what it has again', async () => {
    await open();
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
    bench.freeze();
    try {
      const report = await untilReported({ 'node-1': 'absent', 'node-2': 'absent', 'node-3': 'absent' });
      expect(report.members[0]?.detail).toContain('no answer');
    } finally {
      bench.thaw();
    }
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
  });

  it('says of a HAProxy that is killed and stays away that it does not run', async () => {
    await open();
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
    await bench.stop();
    const report = await untilReported({ 'node-1': 'absent', 'node-2': 'absent', 'node-3': 'absent' });
    expect(report).toMatchObject({
      fallback: false,
      members: [{ detail: 'the balancer does not run' }, {}, {}],
    });
  });

  it('reports exactly what HAProxy shows after each change', async () => {
    await open();
    bench.beat();
    bench.say({ 'node-1': { weight: 30 }, 'node-3': { opinion: 'down', reasons: ['the disk is full'] } });
    bench.members[0]!.spec.weight = 30;
    bench.balance.look();
    await untilItHas({ 'node-1': 'ready 30', 'node-2': 'ready 100', 'node-3': 'maint' });
    const report = await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'down' });
    expect(report.members.map(({ weight }) => weight)).toEqual([30, 100, 0]);
    expect(report).toMatchObject({ epoch: 1, seq: 2, fallback: false });
  });

  it('keeps the connections of a node that is drained, gives it no new ones, and takes it out when they are gone', async () => {
    await open();
    await untilItHas(allReady);
    const held = Array.from({ length: 3 }, () => visit('/slow'));
    await untilAllAreHeld();
    bench.members[0]!.spec.drain = { reason: 'a new disk', owner: 'ada' };
    bench.balance.look();
    await untilItHas({ ...allReady, 'node-1': 'drain' });
    const answers = await Promise.all(Array.from({ length: 12 }, () => visit()));
    expect(new Set(answers.map(({ node }) => node))).toEqual(new Set(['node-2', 'node-3']));
    expect(await bench.has()).toMatchObject({ 'node-1': 'drain' });
    await Promise.all(NODES.map((_, index) => bench.nodes.ask(index, '/go')));
    const ended = await Promise.all(held);
    expect(ended.map(({ node, body }) => `${node}: ${body}`).sort()).toEqual(
      NODES.map((node) => `${node}: begun and ended`),
    );
    await untilItHas({ ...allReady, 'node-1': 'maint' });
    delete bench.members[0]!.spec.drain;
    bench.balance.look();
    await untilItHas(allReady);
  });

  it('ends a drain at its deadline although connections are left, by the clock of the director', async () => {
    await open();
    await untilItHas(allReady);
    const held = Array.from({ length: 3 }, () => visit('/slow'));
    await untilAllAreHeld();
    bench.beat();
    bench.say({ 'node-1': { operator: 'drain', drainLeft: 1200 } });
    await untilItHas({ ...allReady, 'node-1': 'drain' });
    await untilItHas({ ...allReady, 'node-1': 'maint' });
    await Promise.all(NODES.map((_, index) => bench.nodes.ask(index, '/go')));
    expect((await Promise.all(held)).every(({ body }) => body === 'begun and ended')).toBe(true);
  });

  it('is put right after a hand on the runtime socket', async () => {
    await open();
    await untilItHas(allReady);
    await bench.hand(`set server ${bench.backend}/node-1 state maint`);
    await bench.hand(`set server ${bench.backend}/node-2 weight 1`);
    await untilItHas(allReady);
  });

  it('takes a lease that ran out as no opinion, never as down, and a new one only together with a new state', async () => {
    await open();
    bench.beat(1);
    bench.say({ 'node-2': { opinion: 'down' } });
    await untilItHas({ ...allReady, 'node-2': 'maint' });
    await untilItHas(allReady);
    bench.beat();
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
    bench.say({ 'node-2': { opinion: 'down' } });
    await untilItHas({ ...allReady, 'node-2': 'maint' });
  });

  it('keeps what the operator said when the lease runs out', async () => {
    await open();
    bench.members[2]!.spec.maintenance = { reason: 'a new board', owner: 'ada' };
    bench.beat(1);
    bench.say({ 'node-1': { opinion: 'down' }, 'node-3': { operator: 'maintenance' } });
    await untilItHas({ 'node-1': 'maint', 'node-2': 'ready 100', 'node-3': 'maint' });
    await untilItHas({ ...allReady, 'node-3': 'maint' });
  });

  it('ignores a pool state from the past', async () => {
    await open();
    bench.beat();
    const old = bench.say({ 'node-2': { opinion: 'down' }, 'node-3': { operator: 'maintenance' } });
    bench.say({});
    await untilItHas(allReady);
    bench.balance.poolState(old);
    bench.balance.look();
    await until('the newer state is reported', () => bench.reports.some(({ seq }) => seq === 3));
    expect(await bench.has()).toEqual(allReady);
  });

  const allBad = Object.fromEntries(NODES.map((node) => [node, { opinion: 'down' as const }]));

  it('is not emptied by reports that speak against everybody', async () => {
    await open();
    bench.beat();
    bench.say(allBad);
    await untilReported({ 'node-1': 'up', 'node-2': 'down', 'node-3': 'down' });
    expect(await visit()).toMatchObject({ status: 200, node: 'node-1' });
    expect(bench.reports.some(({ fallback }) => fallback)).toBe(false);
    bench.say(allBad, true);
    await untilItHas(allReady);
  });

  it('and would be, without the guard: the same reports leave nobody but the fallback', async () => {
    await open({
      decide: (rules, members, flags) => {
        const decided = membership(rules, members, flags);
        const isBad = (node: string) =>
          members.some((m) => m.node === node && m.fresh && m.opinion === 'down');
        const unguarded = decided.members.map((m) => (isBad(m.node) ? { ...m, state: 'down' as const } : m));
        return { ...decided, members: unguarded };
      },
    });
    bench.beat();
    bench.say(allBad);
    await untilReported({ 'node-1': 'down', 'node-2': 'down', 'node-3': 'down' });
    expect(await visit()).toMatchObject({ status: 503 });
  });

  it('is answered for by the fallback when every node is dead, and by the first that comes back', async () => {
    await open();
    await untilItHas(allReady);
    await bench.nodes.killAll();
    await until('the fallback serves', () => bench.reports.at(-1)?.fallback === true);
    const page = await visit();
    expect(page.status).toBe(503);
    expect(page.body).toContain('Back soon');
    await bench.nodes.start(2);
    await untilItHas({ 'node-1': 'maint', 'node-2': 'maint', 'node-3': 'ready 100' });
    expect(await visit()).toMatchObject({ status: 200, node: 'node-3' });
  });

  it('keeps its verdicts when HAProxy is reloaded while no agent is there', async () => {
    await open();
    bench.members[1]!.spec.maintenance = { reason: '', owner: 'ada' };
    bench.members[0]!.spec.weight = 7;
    bench.balance.look();
    const wanted = { 'node-1': 'ready 7', 'node-2': 'maint', 'node-3': 'ready 100' };
    await untilItHas(wanted);
    await until('it is in the state file', async () => / node-2 127\.0\.0\.12 0 1 /.test(await stateFile()));
    await bench.stopBalance();
    await bench.reload();
    expect(await bench.has()).toEqual(wanted);
  });

  it('is put right after a reload that has forgotten everything', async () => {
    await open();
    bench.members[1]!.spec.maintenance = { reason: '', owner: 'ada' };
    bench.balance.look();
    await untilItHas({ ...allReady, 'node-2': 'maint' });
    await bench.hand(`set server ${bench.backend}/node-2 state ready`);
    await bench.reload();
    await untilItHas({ ...allReady, 'node-2': 'maint' });
  });

  it('is looked after as soon as HAProxy runs, and says nothing of it at first', async () => {
    await open({ running: false });
    bench.members[0]!.spec.maintenance = { reason: '', owner: 'ada' };
    await bench.nodes.startAll();
    expect(bench.reports).toEqual([]);
    await bench.start();
    await untilItHas({ ...allReady, 'node-1': 'maint' });
    await untilReported({ 'node-1': 'down', 'node-2': 'up', 'node-3': 'up' });
  });

  it('says everything again when the manager asks for it by a new connection', async () => {
    await open();
    await untilReported({ 'node-1': 'up', 'node-2': 'up', 'node-3': 'up' });
    const before = bench.reports.length;
    bench.balance.connected();
    await until('it is said again', () => bench.reports.length > before);
    expect(bench.reports.at(-1)).toEqual(bench.reports[before - 1]);
  });

  const stateFile = () => readFile(bench.stateFile, 'utf8').catch(() => '');
});
