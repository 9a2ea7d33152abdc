/** Schedules and time: clocks that jump, that were wrong, and a manager that was away. */
import { describe, expect, it } from 'vitest';
import { EvenkeelError } from '../../protocol/errors.ts';
import { startTestApi } from '../support/api.ts';
import { HOUR, MINUTE, scheduleWorld } from '../support/schedules.ts';

const { world, soon, declared, listed, begun, events, told, upto, due, away } = scheduleWorld();

describe('[5.6] where clocks jump', () => {
  // Berlin, 2026: from 01:59:59 to 03:00 on 29 March, 02:59:59 to 02:00 on 25 October; both at 01:00 UTC.
  it.each([
    ['not there', '2026-03-28', ['2026-03-28T01:30', '2026-03-29T01:30', '2026-03-30T00:30']],
    ['there twice', '2026-10-24', ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30']],
  ])('a moment that is %s begins one run', async (_, day, begins) => {
    await away(Date.parse(`${day}T00:00:00Z`) - world.clock.now());
    await declared('nightly', { cron: '30 2 * * *', timeZone: 'Europe/Berlin', overlap: 'queue' });
    for (let days = 1; days <= 3; days++) {
      await due();
      await away(Date.parse(`${day}T00:00:00Z`) + days * 24 * HOUR - world.clock.now());
    }
    expect([await begun('nightly'), await told()]).toEqual([begins, []]);
  });
});

describe('[5.6] a clock that was wrong', () => {
  /** Of the manager alone, so far from the one that tests move. */
  let wrong = 0;
  const wronged = async () => {
    wrong = 0;
    await world.api.end();
    const now = () => world.clock.now() + wrong;
    world.api = await startTestApi({ clock: { ...world.clock, now }, again: world.api });
  };

  it('hours ahead, and is set right, silences nothing: it goes on from then, which is said once', async () => {
    await wronged();
    await declared('nightly', { cron: '0 * * * *', overlap: 'queue' });
    wrong = 20 * HOUR;
    await soon('it has begun', async () => (await begun('nightly')).length > 0);
    wrong = 0;
    await soon('it is said', async () => (await told()).includes('schedule.reset nightly'));
    expect((await listed())[0]?.next).toBe('2026-01-01T01:00:00.000Z');
    for (let hours = 0; hours < 2; hours++) await due();
    expect((await begun('nightly')).slice(1)).toEqual(['2026-01-01T01:00', '2026-01-01T02:00']);
    expect(await told()).toEqual(['schedule.missed nightly', 'schedule.reset nightly']);
  });

  it('hours ahead while the manager was held, and is set right, misses nothing after that', async () => {
    await wronged();
    await declared('nightly', { cron: '0 * * * *' });
    wrong = 20 * HOUR;
    await world.api.store.hold('somebody wants to look');
    await world.clock.advance(5_000);
    wrong = 0;
    await world.api.store.resume({ actor: 'test', allowShrink: false, seenEpoch: 0 });
    await due();
    expect([await begun('nightly'), await told()]).toEqual([['2026-01-01T01:00'], []]);
  });

  it('minutes ahead, and is set right, begins nothing twice, and the next that is shown is the next that begins', async () => {
    await wronged();
    await declared('nightly', { cron: '*/10 * * * *', overlap: 'queue' });
    await due();
    wrong = -5 * MINUTE;
    await world.clock.advance(MINUTE);
    const { next } = (await listed())[0] ?? {};
    expect(next).toBe('2026-01-01T00:20:00.000Z');
    await world.clock.advance(13 * MINUTE);
    expect([await begun('nightly'), await told()]).toEqual([['2026-01-01T00:10'], []]);
    await soon('the next has begun', async () => (await begun('nightly')).length > 1);
    expect((await begun('nightly'))[1]).toMatch(/^2026-01-01T00:2/);
  });
});

describe('[5.6] a manager that was away', () => {
  it('begins what was due less than ten minutes ago, once', async () => {
    await declared('nightly');
    await world.clock.advance(3 * HOUR - 10 * MINUTE);
    await away(15 * MINUTE);
    await soon('it has begun', async () => (await begun('nightly')).length > 0);
    await world.clock.advance(HOUR);
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
    await world.clock.advance(HOUR);
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
    await world.clock.advance(3 * HOUR);
    await soon('it has been tried twice, and is kept', async () => (await begun('nightly')).length > 0);
    await world.clock.advance(HOUR);
    expect([times, (await begun('nightly')).length, await told()]).toEqual([2, 1, []]);
  });

  it('held, begins nothing, and resumed does not make up for it', async () => {
    await declared('nightly');
    await world.api.store.hold('somebody wants to look');
    await world.clock.advance(3 * HOUR);
    expect((await world.api.ask('POST', '/api/v1/schedules/nightly/run', {})).json()).toMatchObject({
      code: 'manager-held',
    });
    await world.api.store.resume({ actor: 'test', allowShrink: false, seenEpoch: 0 });
    await soon('it is said', async () => (await told()).length > 0);
    expect([await told(), await begun('nightly')]).toEqual([['schedule.missed nightly'], []]);
  });

  it('whose clock was days ahead goes on when that is right again', async () => {
    await declared('nightly');
    await world.api.store.schedules.put({
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
