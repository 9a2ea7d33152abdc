/** Schedules of a manager: a real store and the API, an agent played by hand, and a clock that is moved. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { TryResult } from '../../protocol/queue.ts';
import type { RunView } from '../../protocol/queue-api.ts';
import type { ScheduleView } from '../../protocol/schedules-api.ts';
import type { EventLine } from '../../protocol/views.ts';
import { declare, node, startTestApi, type TestApi, type TestApiOptions } from '../support/api.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { until } from '../support/until.ts';

let api: TestApi;
let clock: ManualClock;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const action = (name: string, spec: object = {}) => ({
  ...{ kind: 'Action' as const, name },
  spec: { run: ['true'], idempotent: true, ...spec },
});
const schedule = (name: string, spec: object = {}) => ({
  ...{ kind: 'Schedule' as const, name },
  spec: { action: 'tidy', on: 'web', cron: '0 3 * * *', ...spec },
});

beforeEach(async () => {
  clock = createManualClock(Date.UTC(2026, 0, 1));
  api = await startTestApi({ clock });
  await declare(api.store, [
    ...['web1', 'web2'].map((name, at) => node(name, ['web'], `127.0.0.1${at}`)),
    ...[action('tidy'), action('reboot', { access: 'admin' })],
  ]);
});
afterEach(() => api.stop());

const as = (role: 'viewer' | 'operator' | 'admin') => ({ authorization: `Bearer ${api.tokens[role]}` });
const get = async <T>(path: string) => (await api.ask('GET', path, undefined, as('viewer'))).json() as T;
const put = async (one: ReturnType<typeof schedule>, role: 'operator' | 'admin' = 'operator') => {
  const path = `/api/v1/resources/Schedule/${one.name}`;
  return (await api.ask('PUT', path, { spec: one.spec }, as(role))).statusCode;
};
/** Seconds pass meanwhile. */
const soon = (what: string, isSo: () => Promise<boolean>) =>
  until(what, async () => {
    await clock.advance(1_000);
    return isSo();
  });
/** Declared, and seen by the manager. */
const declared = async (name: string, spec: object = {}) => {
  await declare(api.store, [schedule(name, spec)]);
  const { cron, timeZone, suspended } = api.store.view().Schedule.get(name)?.spec ?? {};
  const plan = suspended ? 'suspended' : `${cron} ${timeZone}`;
  await soon('it is looked after', async () => (await api.store.schedules.get(name))?.plan === plan);
};
const listed = async () => (await get<{ items: ScheduleView[] }>('/api/v1/schedules')).items;
const begun = async (name: string) =>
  (await get<{ runs: RunView[] }>(`/api/v1/schedules/${name}`)).runs
    .map(({ at }) => at.slice(0, 16))
    .reverse();
const events = async () => {
  const { items } = await get<{ items: EventLine[] }>('/api/v1/events?limit=1000');
  return items.filter(({ type }) => type.startsWith('schedule.'));
};
const told = async () => (await events()).map(({ type, subject }) => `${type} ${subject}`);
const upto = async (name: string) => (await api.store.schedules.get(name))?.upto ?? '';
/** Moves the clock to the next moment, and no further before that is dealt with. */
const due = async (name = 'nightly') => {
  const { next } = (await listed()).find((one) => one.name === name) ?? {};
  if (!next) throw new Error(`${name} has no next moment`);
  await clock.advance(Date.parse(next) - clock.now());
  await until('what was due is dealt with', async () => (await upto(name)) >= next);
};
/** A manager is away for a while, or dies and is back at once. */
const away = async (ms: number, options: TestApiOptions = {}) => {
  await api.end();
  await clock.advance(ms);
  api = await startTestApi({ ...options, clock, again: api });
};
/** A node does what it is handed. */
const work = async (name: string) => {
  const ledger = randomUUID();
  const { next } = await api.queue.pull(name, { ledger, results: [], working: null });
  if (next === null) throw new Error(`nothing was handed out to ${name}`);
  const result: TryResult = {
    ...{ run: next.run, number: next.number, end: 'succeeded', already: false, begun: true, status: 0 },
    ...{ error: null, output: '', omitted: 0, from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:01Z' },
  };
  await api.queue.pull(name, { ledger, results: [result], working: null });
};
const workAll = async () => {
  for (const name of ['web1', 'web2']) await work(name);
};

describe('[5.6] a schedule', () => {
  it('is declared by whoever may run its action, and ended by no other', async () => {
    expect(await put(schedule('nightly'))).toBe(201);
    expect(await put(schedule('nightly', { action: 'reboot' }))).toBe(403);
    expect(await put(schedule('boots', { action: 'reboot' }))).toBe(403);
    expect(await put(schedule('boots', { action: 'reboot' }), 'admin')).toBe(201);
    expect(await put(schedule('boots'))).toBe(403);
    const remove = (name: string) =>
      api.ask('DELETE', `/api/v1/resources/Schedule/${name}`, undefined, as('operator'));
    expect((await remove('boots')).statusCode).toBe(403);
    expect((await remove('nightly')).statusCode).toBe(200);
  });

  it('begins its run at each of its moments, as itself, with what it says; shown with the next and the last', async () => {
    await declared('nightly', { on: 'web1', jitter: '30s', expires: '2h', timeZone: 'Europe/Berlin' });
    expect(await listed()).toMatchObject([
      { name: 'nightly', action: 'tidy', next: '2026-01-01T02:00:00.000Z', last: null },
    ]);
    await due();
    const [line] = [api.queue.line('web1')[0]];
    expect(line).toMatchObject({ action: 'tidy', by: 'schedule:nightly', state: 'waiting' });
    expect(line?.expires).toBe(Date.parse('2026-01-01T04:00:00Z'));
    expect(api.queue.line('web2')).toEqual([]);
    await work('web1');
    expect(await listed()).toMatchObject([
      {
        next: '2026-01-02T02:00:00.000Z',
        last: { by: 'schedule:nightly', counts: { succeeded: 1 }, options: { jitter: 30_000 } },
      },
    ]);
    await due();
    expect(await begun('nightly')).toEqual(['2026-01-01T02:00', '2026-01-02T02:00']);
    const page = await get<{ runs: RunView[]; next: number }>('/api/v1/schedules/nightly?limit=1');
    const rest = await get<{ runs: RunView[] }>(`/api/v1/schedules/nightly?limit=9&before=${page.next}`);
    expect([page, rest].map(({ runs }) => runs.map(({ at }) => at.slice(0, 10)))).toEqual([
      ...[['2026-01-02'], ['2026-01-01']],
    ]);
    expect((await api.ask('GET', '/api/v1/schedules/gone')).statusCode).toBe(404);
  });

  it('goes a few at a time where it says so', async () => {
    await declared('nightly', { rolling: { size: '1' } });
    await due();
    expect((await listed())[0]?.last?.options.rolling).toMatchObject({ size: '1' });
  });

  it('does nothing while it is suspended, nor what was due meanwhile; a changed line begins anew', async () => {
    await declared('nightly', { suspended: true });
    expect((await listed())[0]?.next).toBeNull();
    await clock.advance(4 * HOUR);
    await declared('nightly');
    // 04:00 by now: by the old line nothing is due before tomorrow, and by the new one 02:00 is over.
    await declared('nightly', { cron: '0 2 * * *' });
    await clock.advance(10 * MINUTE);
    expect([await begun('nightly'), await told()]).toEqual([[], []]);
    expect((await listed())[0]?.next).toBe('2026-01-02T02:00:00.000Z');
  });

  it('that is removed begins nothing more, and another one of its name knows nothing of it', async () => {
    await declared('nightly');
    await api.ask('DELETE', '/api/v1/resources/Schedule/nightly');
    await soon('it is forgotten', async () => (await api.store.schedules.get('nightly')) === undefined);
    await clock.advance(4 * HOUR);
    await declared('nightly');
    expect([api.queue.line('web1'), await told()]).toEqual([[], []]);
  });
});

describe('[5.6] where clocks jump', () => {
  // Berlin, 2026: from 01:59:59 to 03:00 on 29 March, 02:59:59 to 02:00 on 25 October; both at 01:00 UTC.
  it.each([
    ['not there', '2026-03-28', ['2026-03-28T01:30', '2026-03-29T01:30', '2026-03-30T00:30']],
    ['there twice', '2026-10-24', ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30']],
  ])('a moment that is %s begins one run', async (_, day, begins) => {
    await away(Date.parse(`${day}T00:00:00Z`) - clock.now());
    await declared('nightly', { cron: '30 2 * * *', timeZone: 'Europe/Berlin', overlap: 'queue' });
    for (let days = 1; days <= 3; days++) {
      await due();
      await away(Date.parse(`${day}T00:00:00Z`) + days * 24 * HOUR - clock.now());
    }
    expect([await begun('nightly'), await told()]).toEqual([begins, []]);
  });
});

describe('[5.6] a run that is not over', () => {
  it('lets no other begin, which is said once; when it is over, the next one does', async () => {
    await declared('nightly', { cron: '*/10 * * * *' });
    for (let times = 0; times < 3; times++) await due();
    expect(await begun('nightly')).toHaveLength(1);
    expect(await events()).toMatchObject([
      {
        type: 'schedule.skipped',
        severity: 'warning',
        message: expect.stringContaining('is not over on web1'),
      },
    ]);
    await workAll();
    await due();
    expect(await begun('nightly')).toHaveLength(2);
  });

  it('is waited for in the queues where the schedule says so', async () => {
    await declared('nightly', { cron: '*/10 * * * *', overlap: 'queue' });
    for (let times = 0; times < 3; times++) await due();
    expect(api.queue.line('web1').length).toBeGreaterThan(2);
    expect(await told()).toEqual([]);
  });
});

describe('[5.6] a rolling run', () => {
  it('is not over before it has done with its last node', async () => {
    let online = true;
    await away(0, { seen: (view) => ({ ...view, online }) });
    await declared('nightly', { on: 'web1', cron: '*/10 * * * *', rolling: { size: '1' } });
    await due();
    await soon('it has come to the node', async () => api.queue.line('web1')[0]?.turn?.phase === 'open');
    await work('web1');
    online = false;
    await due();
    expect(await begun('nightly')).toHaveLength(1);
    expect(await events()).toMatchObject([
      {
        type: 'schedule.skipped',
        message: expect.stringContaining('has not done with every node') as string,
      },
    ]);
  });
});

describe('[5.6] a run that is refused', () => {
  it('is said, once for each cause, and the schedule goes on when it can', async () => {
    await declared('nightly', { cron: '*/10 * * * *', on: 'web1' });
    await api.ask('DELETE', '/api/v1/resources/Node/web1?force=true');
    for (let times = 0; times < 3; times++) await due();
    expect(await events()).toMatchObject([
      {
        type: 'schedule.refused',
        severity: 'error',
        subject: 'nightly',
        message: expect.stringContaining('web1'),
      },
    ]);
    await declare(api.store, [node('web1', ['web'], '127.0.0.10')]);
    await due();
    expect(await begun('nightly')).toHaveLength(1);
  });
});

describe('[5.6] a manager that was away', () => {
  it('begins what was due less than ten minutes ago, once', async () => {
    await declared('nightly');
    await clock.advance(3 * HOUR - 10 * MINUTE);
    await away(15 * MINUTE);
    await soon('it has begun', async () => (await begun('nightly')).length > 0);
    await clock.advance(HOUR);
    expect([(await begun('nightly')).length, await told()]).toEqual([1, []]);
  });

  it('does not make up for what was due before that, and says how much it was', async () => {
    await declared('nightly', { expires: '1h' });
    await away(3 * 24 * HOUR + 4 * HOUR);
    await soon('it is said', async () => (await told()).length > 0);
    expect(await events()).toMatchObject([
      {
        ...{ type: 'schedule.missed', severity: 'warning', subject: 'nightly' },
        message: expect.stringContaining(
          'due at 2026-01-01T03:00:00.000Z, and 3 times after that, was not begun',
        ),
      },
    ]);
    expect(await begun('nightly')).toEqual([]);
    await due();
    expect(await begun('nightly')).toEqual(['2026-01-05T03:00']);
  });

  it('of many moments begins the last one alone', async () => {
    await declared('nightly', { cron: '* * * * *', overlap: 'queue' });
    await away(5 * MINUTE);
    await soon('it is said', async () => (await told()).length > 0);
    expect((await events())[0]?.message).toContain('and 3 times after that');
    expect((await begun('nightly'))[0]).toBe('2026-01-01T00:05');
    await away(24 * HOUR);
    await soon('it is said', async () => (await told()).length > 1);
    expect((await events())[1]?.message).toContain('and 99 times or more after that');
  });

  it('and that dies when it has just begun a run does not begin it again', async () => {
    await declared('nightly');
    await due();
    await away(0);
    await clock.advance(HOUR);
    expect([await begun('nightly'), await told()]).toEqual([['2026-01-01T03:00'], []]);
  });

  it('between a run and what it notes of it begins no second one; what failed before the run is tried again', async () => {
    await declared('nightly', { overlap: 'queue' });
    let times = 0;
    await away(0, {
      starts:
        (start) =>
        async (...asked) => {
          times += 1;
          // Once before it is kept, and once after that: nobody hears that it is.
          if (times === 1) throw new EvenkeelError('store-failed', 'the disk is full');
          const run = await start(...asked);
          if (times === 2) throw new Error('died');
          return run;
        },
    });
    await clock.advance(3 * HOUR);
    await soon('it has been tried twice', async () => times >= 2);
    await clock.advance(HOUR);
    expect([times, await begun('nightly'), await told()]).toEqual([2, ['2026-01-01T03:00'], []]);
  });

  it('held, begins nothing, and resumed does not make up for it', async () => {
    await declared('nightly');
    await api.store.hold('somebody wants to look');
    await clock.advance(3 * HOUR);
    expect((await api.ask('POST', '/api/v1/schedules/nightly/run', {})).json()).toMatchObject({
      code: 'manager-held',
    });
    await api.store.resume({ actor: 'test', allowShrink: false, seenEpoch: 0 });
    await soon('it is said', async () => (await told()).length > 0);
    expect([await told(), await begun('nightly')]).toEqual([['schedule.missed nightly'], []]);
  });

  it('whose clock was days ahead goes on when that is right again', async () => {
    await declared('nightly');
    await api.store.schedules.put({
      name: 'nightly',
      plan: '0 3 * * * UTC',
      upto: '2036-01-01T00:00:00.000Z',
    });
    await away(0);
    await soon('it begins anew', async () => (await upto('nightly')) < '2027');
    await due();
    expect(await begun('nightly')).toEqual(['2026-01-01T03:00']);
  });
});

describe('[5.6] a schedule that is run by hand', () => {
  it('begins now, as itself, also while it is suspended; not where it would overlap; and who asked is said', async () => {
    await declared('nightly', { suspended: true });
    const run = (role: 'viewer' | 'operator' | 'admin', name = 'nightly') =>
      api.ask('POST', `/api/v1/schedules/${name}/run`, {}, as(role));
    expect((await run('viewer')).statusCode).toBe(403);
    expect((await run('operator')).json()).toMatchObject({ by: 'schedule:nightly', counts: { waiting: 2 } });
    expect((await run('operator')).json()).toMatchObject({ code: 'not-possible' });
    await soon('it is said', async () => (await told()).length > 0);
    expect(await events()).toMatchObject([
      {
        type: 'schedule.asked',
        subject: 'nightly',
        message: expect.stringMatching(/^nightly, asked for by operator: run [a-z2-7]{12}$/),
      },
    ]);
    await declared('boots', { action: 'reboot' });
    expect((await run('operator', 'boots')).statusCode).toBe(403);
    expect((await run('admin', 'gone')).statusCode).toBe(404);
  });
});
