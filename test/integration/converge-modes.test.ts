/** Modes: on hold nothing changes, audited it is only told, and a hold ends by the clock. */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Home, siteOf, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

const served = async (name: string) => (await home.get(name)).body === name;
const lastReport = () => home.unitReports().at(-1);

async function begin() {
  home = await webHome();
  await home.declare(await siteOf(home, 'a.example'));
  const { digest } = await home.settled();
  const [file = ''] = home.filesWith('a.example');
  return { digest, file };
}

describe.each([
  ['a node on hold', 'on-hold', async () => home.node({ hold: { reason: 'a look', owner: 'ann' } })],
  [
    'a policy on hold',
    'on-hold',
    () =>
      webPolicy((spec) => {
        spec.mode = 'hold';
      }),
  ],
  ['an audited node', 'audit-only', async () => home.node({ mode: 'audit' })],
  [
    'an audited policy',
    'audit-only',
    () =>
      webPolicy((spec) => {
        spec.mode = 'audit';
      }),
  ],
] as const)('%s', (_, code, word) => {
  it('[2.5] changes nothing, tells what it would change, and goes on when it is released', async () => {
    const { digest } = await begin();
    await home.declare(await word());
    await home.declare(await siteOf(home, 'b.example'));
    await home.settled();
    await until('it is told', () => lastReport()?.error?.code === code);
    expect(lastReport()).toMatchObject({ result: 'held', step: 'plan', digest });
    expect(lastReport()?.diffs.map(({ path }) => path)).toContain('nginx.conf');
    expect(await served('b.example')).toBe(false);
    expect(await home.shown()).toBe(digest);
    await home.declare(home.node(), await webPolicy(() => undefined));
    await until('b.example is served', () => served('b.example'));
  });

  it('[2.5] leaves what a hand changes as it is, and tells it once', async () => {
    const { file } = await begin();
    await home.declare(await word());
    await home.units().idle();
    appendFileSync(file, '# by hand\n');
    const drifts = () => home.reports.filter(({ type }) => type === 'drift');
    await until('it is told', () => drifts().length > 0);
    home.units().sweep();
    home.units().sweep();
    await home.units().idle();
    expect(drifts()).toMatchObject([{ action: 'reported', diffs: [{ change: 'modified' }] }]);
    expect(readFileSync(file, 'utf8')).toContain('# by hand');
  });
});

it('[2.5] a hold ends by itself when its time is over', async () => {
  await begin();
  const until1s = new Date(Date.now() + 1_500).toISOString();
  await home.declare(home.node({ hold: { reason: '', owner: 'ann', until: until1s } }));
  await home.declare(await siteOf(home, 'b.example'));
  await until('it is on hold', () => lastReport()?.error?.code === 'on-hold');
  expect(await served('b.example')).toBe(false);
  await until('b.example is served', () => served('b.example'));
});

it('[2.5] a unit whose policy goes is left alone while its node is on hold', async () => {
  await begin();
  const pid = home.pid();
  await home.declare(home.node({ hold: { reason: '', owner: 'ann' } }));
  await home.remove({ kind: 'Policy', name: 'web-nginx' });
  await home.units().idle();
  expect(home.pid()).toBe(pid);
  expect(await served('a.example')).toBe(true);
});
