/** `evenkeel schedules`: the program itself, at an API with a real store. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { runCli } from '../support/sandbox.ts';

let api: TestApi;
let base: string[];
const evenkeel = (...args: string[]) => runCli([...base, ...args]);

beforeAll(async () => {
  api = await startTestApi();
  await declare(api.store, [node('web1', ['web'], '127.0.0.11'), node('web2', ['web'], '127.0.0.12')]);
  const ca = join(api.folder, 'ca.crt');
  writeFileSync(ca, api.pki.bundle());
  base = ['--api', api.url, '--ca', ca, '--token', api.tokens.operator];
});
afterAll(() => api.stop());

const yearly = (spec = '') => `kind: Schedule
name: yearly
spec:
  action: disk-usage
  on: web
  cron: '30 3 1 jan *'
  timeZone: Europe/Berlin
${spec}`;

it('[5.6] schedules are declared by apply, and refused with the line that is wrong and the fix', async () => {
  expect((await evenkeel('schedules')).stdout).toContain('there is no schedule: evenkeel explain schedule');
  const file = join(api.folder, 'yearly.yaml');
  writeFileSync(file, yearly().replace('30 3', '30 25').replace('Berlin', 'Berln'));
  const refused = await evenkeel('apply', '-f', file);
  expect(refused.stderr).toMatch(/25 is no hour/);
  expect(refused.stderr).toMatch(/did you mean Europe\/Berlin\?/);
  writeFileSync(file, yearly());
  expect((await evenkeel('apply', '-f', file)).code).toBe(0);
  expect((await evenkeel('get', 'schedules')).stdout).toMatch(
    /^yearly +\d+ +disk-usage +web +30 3 1 jan \* +Europe\/Berlin +-/m,
  );
});

it('[5.6] each stands beside its next run and how the last went; --now begins one; one schedule shows its history', async () => {
  expect((await evenkeel('schedules')).stdout).toMatch(
    /^NAME +ACTION +ON +WHEN +NEXT +LAST\nyearly +disk-usage +web +30 3 1 jan \* Europe\/Berlin +in \d+[dhms], \d{4}-\S+ \S+ +never$/m,
  );
  expect((await evenkeel('schedules', 'yearly')).stdout).toContain('it has not begun any run yet');
  const begun = await evenkeel('schedules', 'yearly', '--now');
  expect(begun.stdout).toMatch(/^disk-usage on web: 2 waiting; run [a-z2-7]{12}$/m);
  const run = /run ([a-z2-7]{12})/.exec(begun.stdout)?.[1] ?? '';
  expect((await evenkeel('schedules')).stdout).toMatch(new RegExp(`ago: 2 waiting; run ${run}$`, 'm'));
  expect((await evenkeel('schedules')).stdout).toMatch(
    new RegExp(
      `^yearly .* \\d{4}-\\S+ \\S+: blocked .*\\n\\nyearly would not begin now: its run ${run} is not over on web1`,
      'm',
    ),
  );
  const again = await evenkeel('schedules', 'yearly', '--now');
  expect([again.code, again.stderr]).toEqual([
    exits.refused.code,
    expect.stringContaining(`its run ${run} is not over`),
  ]);
  const history = (await evenkeel('schedules', 'yearly')).stdout;
  expect(history).toMatch(new RegExp(`^${run} +disk-usage +web .* schedule:yearly +2 waiting`, 'm'));
  expect((await evenkeel('schedules', 'gone')).stderr).toContain('there is no schedule gone');
  expect((await evenkeel('schedules', '--now')).stderr).toContain('which schedule');
});

it('[5.6] one that is suspended says so', async () => {
  const file = join(api.folder, 'yearly.yaml');
  writeFileSync(file, yearly('  suspended: true\n'));
  expect((await evenkeel('apply', '-f', file)).code).toBe(0);
  expect((await evenkeel('schedules')).stdout).toMatch(/^yearly .* suspended +\d+s ago: 2 waiting/m);
});
