/** `evenkeel pools` with what members carry: now, again and again, and how it was. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import { sizeText } from '../../common/units.ts';
import { zero } from '../../manager/history/counters.ts';
import type { PoolView } from '../../protocol/views.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { cliBundle, runCli } from '../support/sandbox.ts';
import { until } from '../support/until.ts';

const actual = { director: 'lb1', state: 'up', weight: 100, connections: 3, probe: 'up', detail: '', seq: 1 };
const wanted = {
  node: 'n1',
  address: '127.0.0.11',
  weight: 100,
  opinion: 'up',
  operator: 'none',
  reasons: [],
};
const pool = {
  ...{ service: 'web', vip: '192.0.2.10', ports: [80], seq: 1, fallback: false, probesOnly: false },
  members: [{ node: 'n1', wanted, actual: [actual] }],
} as PoolView;

let api: TestApi;
let args: string[];
beforeAll(async () => {
  api = await startTestApi({ pools: [pool] });
  const caFile = join(api.folder, 'ca.crt');
  writeFileSync(caFile, api.pki.bundle());
  args = ['--api', api.url, '--ca', caFile, '--token', api.tokens.viewer];
  await declare(api.store, [
    node('n1', ['web'], '127.0.0.11'),
    node('lb1', ['balancer'], '127.0.0.10'),
    {
      kind: 'VirtualService',
      name: 'web',
      spec: { vip: pool.vip, ports: [80], pool: { role: 'web', check: 'http' } },
    },
  ]);
  for (const [uptime, count] of [
    [1000, 0],
    [11_000, 25],
  ] as const) {
    const row = { ...zero, port: 80, active: 3, inactive: 0, connections: count, bytesOut: count * 4096 };
    const rows = [null, 'n1'].map((member) => ({ ...row, member }));
    api.history.traffic('lb1', { session: 's1', source: 'haproxy', uptime, service: 'web', rows });
  }
});
afterAll(() => api.stop());

describe('[3.9] pools', () => {
  it('--watch says on a line for each member what it carries, and ends well at Ctrl-C', async () => {
    const child = spawn(process.execPath, [cliBundle, ...args, 'pools', 'web', '--watch']);
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (part) => {
      said += part;
    });
    const ended = once(child, 'exit');
    await until('it has said something', () => said.split('\n').length > 2, 20_000);
    child.kill('SIGINT');
    expect(await ended).toEqual([exits.ok.code, null]);
    expect(said).toMatch(
      /^\S+ \S+ web n1 has up weight 100 active 3 conn\/s 2\.5 in\/s 0 B out\/s 10\.0 KiB$/m,
    );
    expect(said).toMatch(/ web all active 3 conn\/s 2\.5 /);
    // A pipe is not drawn on.
    expect(said).not.toContain('\u001b');
  });

  it('--history shows what a service carried, and says when nothing is known', async () => {
    await until(
      'it is kept',
      async () => (await api.ask('GET', '/api/v1/pools/web/history')).json().series.length === 2,
    );
    const ran = await runCli([...args, 'pools', 'web', '--history', '1h']);
    expect(ran).toMatchObject({ code: exits.ok.code, stderr: '' });
    expect(ran.stdout).toMatch(/^FROM +CONN\/S +IN\/S +OUT\/S +ACTIVE +PEAK\n\S+ \S+ +\d+\.\d +0 B /);
    const machine = JSON.parse(
      (await runCli([...args, '-o', 'json', 'pools', 'web', '--history', '6h'])).stdout,
    );
    expect(machine.series[0]).toMatchObject({ member: null, points: [{ connections: 25 }] });
  });

  it('says which services there are, where one is asked for that is not, and what is wrong with a time', async () => {
    const unknown = await runCli([...args, 'pools', 'mail']);
    expect(unknown.code).toBe(exits.notFound.code);
    expect(unknown.stderr).toContain('there is no VirtualService mail; there are web');
    expect((await runCli([...args, 'pools', '--history', '1h'])).stderr).toContain(
      'evenkeel pools SERVICE --history 6h',
    );
    expect((await runCli([...args, 'pools', 'web', '--history', 'long'])).stderr).toContain('such as 30m');
  });

  it('says sizes as people do', () => {
    expect([0, 0.4, 512, 2048, 150 * 1024, 5 * 1024 ** 3].map(sizeText)).toEqual([
      ...['0 B', '0 B', '512 B', '2.0 KiB', '150 KiB', '5.0 GiB'],
    ]);
  });
});
