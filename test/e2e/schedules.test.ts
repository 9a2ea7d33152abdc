/** A schedule in a whole sandbox: its hour comes, its action is done on every node, once, also when the manager dies. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { movableTime } from '../support/system-time.ts';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const time = movableTime();
const sandbox = useSandbox([], time.env);
afterAll(time.remove);

const HOUR = 3600;
const spec = { action: 'look', on: 'web', cron: '@hourly', expires: '30m' };

beforeAll(async () => {
  const documents = [
    { kind: 'Action', name: 'look', spec: { run: ['df', '--output=target', '/'], idempotent: true } },
    { kind: 'Schedule', name: 'hourly', spec },
  ];
  await sandbox().client().call('apply', { body: { documents } });
});

const history = async () =>
  sandbox()
    .client()
    .call('schedule', { params: { name: 'hourly' } });
/** So many seconds before an hour that comes. */
const goBefore = (hours: number, seconds: number) => {
  const now = Math.floor(Date.now() / 1000);
  const left = HOUR - (now % HOUR);
  time.ahead(left + (left < seconds ? HOUR : 0) + hours * HOUR - seconds);
};

it('[5.6] is begun when its hour comes, done on every node, and not begun again by a manager that died meanwhile', {
  timeout: 120_000,
}, async () => {
  goBefore(0, 10);
  await until('its run has begun', async () => (await history()).runs.length > 0, 30_000);
  await until('it is done', async () => (await history()).runs[0]?.counts.succeeded === 3, 30_000);
  const { pid } = sandbox().up();
  if (pid === null) throw new Error('no manager runs');
  process.kill(pid, 'SIGKILL');
  const answers = () => history().then(Boolean, () => false);
  await until('the manager is back', async () => sandbox().up().pid !== pid && answers(), 30_000);
  expect((await sandbox().cli(['schedules'])).stdout).toMatch(
    /^hourly +look +web +@hourly UTC +in \d+m, .* ago: 3 succeeded; run [a-z2-7]{12}$/m,
  );
  // The next hour is begun, so the one before would have been by now.
  goBefore(1, 10);
  await until('the next has begun', async () => (await history()).runs.length > 1, 30_000);
  expect((await history()).runs.map(({ by }) => by)).toEqual(['schedule:hourly', 'schedule:hourly']);
});
