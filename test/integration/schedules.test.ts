/** Schedules of a manager: who declares them, what they begin, and what is in the way of that. */
import { describe, expect, it } from 'vitest';
import type { RunView } from '../../protocol/queue-api.ts';
import { declare, node, type TestApiOptions } from '../support/api.ts';
import { HOUR, MINUTE, schedule, scheduleWorld } from '../support/schedules.ts';
import { until } from '../support/until.ts';

const {
  world,
  as,
  get,
  put,
  soon,
  declared,
  listed,
  begun,
  events,
  said,
  told,
  upto,
  due,
  away,
  work,
  workAll,
} = scheduleWorld();

describe('[5.6] a schedule', () => {
  it('is declared by whoever may run its action, and ended by no other', async () => {
    expect(await put(schedule('nightly'))).toBe(201);
    expect(await put(schedule('nightly', { action: 'reboot' }))).toBe(403);
    expect(await put(schedule('boots', { action: 'reboot' }))).toBe(403);
    expect(await put(schedule('boots', { action: 'reboot' }), 'admin')).toBe(201);
    expect(await put(schedule('boots'))).toBe(403);
    const remove = (name: string) =>
      world.api.ask('DELETE', `/api/v1/resources/Schedule/${name}`, undefined, as('operator'));
    expect((await remove('boots')).statusCode).toBe(403);
    expect((await remove('nightly')).statusCode).toBe(200);
  });

  it('begins its run at each of its moments, as itself, with what it says; shown with the next and the last', async () => {
    await declared('nightly', { on: 'web1', jitter: '30s', expires: '2h', timeZone: 'Europe/Berlin' });
    expect(await listed()).toMatchObject([
      { name: 'nightly', action: 'tidy', next: '2026-01-01T02:00:00.000Z', last: null },
    ]);
    await due();
    const [line] = [world.api.queue.line('web1')[0]];
    expect(line).toMatchObject({ action: 'tidy', by: 'schedule:nightly', state: 'waiting' });
    expect(line?.expires).toBe(Date.parse('2026-01-01T04:00:00Z'));
    expect(world.api.queue.line('web2')).toEqual([]);
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
    expect((await world.api.ask('GET', '/api/v1/schedules/gone')).statusCode).toBe(404);
  });

  it('goes a few at a time where it says so', async () => {
    await declared('nightly', { rolling: { size: '1' } });
    await due();
    expect((await listed())[0]?.last?.options.rolling).toMatchObject({ size: '1' });
  });

  it('does nothing while it is suspended, nor what was due meanwhile; a changed line begins anew', async () => {
    await declared('nightly', { suspended: true });
    expect((await listed())[0]?.next).toBeNull();
    await world.clock.advance(4 * HOUR);
    await declared('nightly');
    // 04:00 by now: by the old line nothing is due before tomorrow, and by the new one 02:00 is over.
    await declared('nightly', { cron: '0 2 * * *' });
    await world.clock.advance(10 * MINUTE);
    expect([await begun('nightly'), await told()]).toEqual([[], []]);
    expect((await listed())[0]?.next).toBe('2026-01-02T02:00:00.000Z');
  });

  it('that is removed begins nothing more, and another one of its name knows nothing of it', async () => {
    await declared('nightly');
    await world.api.ask('DELETE', '/api/v1/resources/Schedule/nightly');
    await soon('it is forgotten', async () => (await world.api.store.schedules.get('nightly')) === undefined);
    await world.clock.advance(4 * HOUR);
    await declared('nightly');
    expect([world.api.queue.line('web1'), await told()]).toEqual([[], []]);
  });
});

describe('[5.6] a run that is not over', () => {
  it('lets no other begin, which is said once; when it is over, the next one does', async () => {
    await declared('nightly', { cron: '*/10 * * * *' });
    for (let times = 0; times < 3; times++) await due();
    expect(await begun('nightly')).toHaveLength(1);
    expect(await said()).toMatchObject([
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

  it('is shown as what is in the way of the next, until it is over', async () => {
    await declared('nightly', { cron: '*/10 * * * *' });
    expect((await listed())[0]?.blocked).toBe('');
    await due();
    await work('web2');
    expect((await listed())[0]?.blocked).toMatch(
      /^its run [a-z2-7]{12} is not over on web1 \(waiting\), and no other is begun until it is/,
    );
    await work('web1');
    expect((await listed())[0]?.blocked).toBe('');
  });

  it('is asked about once the one before has begun, however many ask at once', async () => {
    await declared('nightly');
    const run = () => world.api.ask('POST', '/api/v1/schedules/nightly/run', {});
    const codes = (await Promise.all([run(), run(), run()])).map(({ statusCode }) => statusCode);
    expect(codes.filter((code) => code === 200)).toHaveLength(1);
    expect(await begun('nightly')).toHaveLength(1);
  });

  it('lets none begin that is due while it is begun by hand', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let times = 0;
    const starts: TestApiOptions['starts'] =
      (start) =>
      async (...asked) => {
        times += 1;
        await gate;
        return start(...asked);
      };
    await away(0, { starts });
    await declared('nightly');
    await world.clock.advance(3 * HOUR - 10_000);
    const byHand = world.api.ask('POST', '/api/v1/schedules/nightly/run', {});
    await until('it is about to begin', () => times === 1);
    await world.clock.advance(20_000);
    open();
    expect((await byHand).statusCode).toBe(200);
    await soon('what was due is dealt with', async () => (await upto('nightly')) >= '2026-01-01T03:00');
    expect(await begun('nightly')).toHaveLength(1);
    expect((await said(2)).map(({ type }) => type).sort()).toEqual(['schedule.asked', 'schedule.skipped']);
  });

  it('is waited for in the queues where the schedule says so', async () => {
    await declared('nightly', { cron: '*/10 * * * *', overlap: 'queue' });
    for (let times = 0; times < 3; times++) await due();
    expect(world.api.queue.line('web1').length).toBeGreaterThan(2);
    expect(await told()).toEqual([]);
  });
});

describe('[5.6] a rolling run', () => {
  it('is not over before it has done with its last node', async () => {
    let online = true;
    await away(0, { seen: (view) => ({ ...view, online }) });
    await declared('nightly', { on: 'web1', cron: '*/10 * * * *', rolling: { size: '1' } });
    await due();
    await soon(
      'it has come to the node',
      async () => world.api.queue.line('web1')[0]?.turn?.phase === 'open',
    );
    await work('web1');
    online = false;
    await due();
    expect(await begun('nightly')).toHaveLength(1);
    expect(await said()).toMatchObject([
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
    await world.api.ask('DELETE', '/api/v1/resources/Node/web1?force=true');
    for (let times = 0; times < 3; times++) await due();
    expect(await said()).toMatchObject([
      {
        type: 'schedule.refused',
        severity: 'error',
        subject: 'nightly',
        message: expect.stringContaining('web1'),
      },
    ]);
    await declare(world.api.store, [node('web1', ['web'], '127.0.0.10')]);
    await due();
    expect(await begun('nightly')).toHaveLength(1);
  });
});

describe('[5.6] a next run that would be refused, or nothing is begun of,', () => {
  it('is shown with the reason', async () => {
    await declared('nightly', { on: 'web1' });
    await world.api.ask('DELETE', '/api/v1/resources/Node/web1?force=true');
    expect((await listed())[0]?.blocked).toContain('there is no node and no role web1');
    await world.api.store.hold('somebody wants to look');
    expect((await listed())[0]?.blocked).toContain('the manager is held');
  });
});

describe('[5.6] a schedule that is run by hand', () => {
  it('begins now, as itself, also while it is suspended; not where it would overlap; and who asked is said', async () => {
    await declared('nightly', { suspended: true });
    const run = (role: 'viewer' | 'operator' | 'admin', name = 'nightly') =>
      world.api.ask('POST', `/api/v1/schedules/${name}/run`, {}, as(role));
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
