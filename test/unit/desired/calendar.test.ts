/** The calendar: the next moment of a cron line in a time zone, judged by node-cron's own matcher and by clocks that jump. */
import fc from 'fast-check';
import { createTask } from 'node-cron';
import { describe, expect, it } from 'vitest';
import { calendarOf, lineWrong, zoneWrong } from '../../../manager/desired/calendar.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The moments of a line after one moment. */
function momentsOf(line: string, zone: string, from: string, count: number): string[] {
  const calendar = calendarOf(line, zone);
  const found: string[] = [];
  for (let at = calendar.next(Date.parse(from)); at !== null && found.length < count; at = calendar.next(at))
    found.push(new Date(at).toISOString().slice(0, 16));
  return found;
}

describe('[5.6] the next moment of a cron line', () => {
  it('is that of its time zone', () => {
    expect(momentsOf('30 3 * * *', 'UTC', '2026-01-01T03:29:59Z', 2)).toEqual([
      ...['2026-01-01T03:30', '2026-01-02T03:30'],
    ]);
    expect(momentsOf('30 3 * * *', 'America/New_York', '2026-01-01T03:30:00Z', 1)).toEqual([
      '2026-01-01T08:30',
    ]);
    expect(momentsOf('0 0 1 1 *', 'Asia/Kathmandu', '2026-01-01T00:00:00Z', 1)).toEqual(['2026-12-31T18:15']);
    expect(momentsOf('0 9 * * mon#1', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      ...['2026-01-05T09:00', '2026-02-02T09:00'],
    ]);
    expect(momentsOf('0 22 L * *', 'UTC', '2026-01-31T22:00:00Z', 2)).toEqual([
      ...['2026-02-28T22:00', '2026-03-31T22:00'],
    ]);
    expect(momentsOf('@hourly', 'UTC', '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-01T01:00']);
  });

  it('that the clocks jump over is as much later as they jump, once', () => {
    // Berlin, 29 March 2026: after 01:59:59 it is 03:00 (01:00 UTC).
    expect(momentsOf('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 3)).toEqual([
      ...['2026-03-28T01:30', '2026-03-29T01:30', '2026-03-30T00:30'],
    ]);
    expect(momentsOf('0 2,3 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 2)).toEqual([
      ...['2026-03-29T01:00', '2026-03-30T00:00'],
    ]);
    // Later on the clock and yet sooner: 03:15 is before what 02:45 has become.
    expect(momentsOf('45 2 * * *', 'Europe/Berlin', '2026-03-29T01:15:00Z', 1)).toEqual(['2026-03-29T01:45']);
    expect(momentsOf('15,45 2,3 29 3 *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 2)).toEqual([
      ...['2026-03-29T01:15', '2026-03-29T01:45'],
    ]);
  });

  it('that the clocks show twice is the first of the two, once', () => {
    // Berlin, 25 October 2026: after 02:59:59 it is 02:00 again (01:00 UTC).
    expect(momentsOf('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      ...['2026-10-25T00:30', '2026-10-26T01:30'],
    ]);
    expect(momentsOf('*/30 2 25 10 *', 'Europe/Berlin', '2026-10-24T00:00:00Z', 3)).toEqual([
      ...['2026-10-25T00:00', '2026-10-25T00:30', '2027-10-25T00:00'],
    ]);
  });

  it('of a line for every hour is in each hour that passes, also where clocks jump', () => {
    expect(momentsOf('30 * * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 3)).toEqual([
      ...['2026-03-29T00:30', '2026-03-29T01:30', '2026-03-29T02:30'],
    ]);
    expect(momentsOf('30 * * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', 3)).toEqual([
      ...['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'],
    ]);
  });
});

const field = (low: number, high: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    fc.integer({ min: low, max: high }).map(String),
    fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
    fc
      .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
      .map((two) => two.join('-')),
    fc
      .uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 4 })
      .map((some) => some.join()),
  );
const line = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    fc.constantFrom('*', '*', '1-20', 'L', '15W'),
    fc.constant('*'),
    field(0, 6),
  )
  .map((parts) => parts.join(' '));
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'] as const;

it('[5.6] the next moment of any line fits it, is after now, and no moment between is missed', () => {
  fc.assert(
    fc.property(
      line,
      fc.constantFrom(...zones),
      // Half of them on days on which clocks jump.
      fc.oneof(
        fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }),
        fc.integer({ min: Date.UTC(2026, 2, 28), max: Date.UTC(2026, 2, 29, 6) }),
        fc.integer({ min: Date.UTC(2026, 9, 24), max: Date.UTC(2026, 9, 25, 6) }),
      ),
      (text, zone, from) => {
        if (lineWrong(text) !== undefined) return;
        const next = calendarOf(text, zone).next(from) ?? 0;
        expect(next).toBeGreaterThan(from);
        const task = createTask(text, () => undefined, { timezone: zone });
        void task.destroy();
        const fits = (at: number) => task.match(new Date(at));
        const jumps = (at: number) => offset(at - 3 * HOUR, zone) !== offset(at + 3 * HOUR, zone);
        if (!jumps(next)) expect(fits(next)).toBe(true);
        const minutes = (begin: number) => Array.from({ length: 90 }, (_, at) => begin + at * MINUTE);
        const after = minutes(Math.floor(from / MINUTE + 1) * MINUTE);
        // All of a short wait, the beginning and the end of a long one.
        for (const at of [...after, ...minutes(next - 90 * MINUTE)].filter((one) => one > from && one < next))
          if (!jumps(at)) expect([new Date(at), fits(at)]).toEqual([new Date(at), false]);
      },
    ),
    { numRuns: 60 },
  );
});

const formats = new Map(
  zones.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }),
  ]),
);
const offset = (at: number, zone: (typeof zones)[number]) =>
  formats
    .get(zone)
    ?.formatToParts(at)
    .find(({ type }) => type === 'timeZoneName')?.value;

it('[5.6] a line or a zone that means nothing is refused, with what is wrong and what is right', () => {
  for (const good of [
    '*/5 * * * *',
    '0 3 * * SUN',
    '0 0 L-3 * ?',
    '0 0 15W jan-mar *',
    '0 0 * * friL',
    '@daily',
    '0 3 * * 7',
  ])
    expect([good, lineWrong(good)]).toEqual([good, undefined]);
  expect(lineWrong('61 * * * *')?.message).toBe('61 is no minute');
  expect(lineWrong('* 24 * * *')?.message).toBe('24 is no hour');
  expect(lineWrong('0 0 0 * *')?.message).toBe('0 is no day of the month');
  expect(lineWrong('0 0 31 2 *')?.message).toContain('impossible');
  expect(lineWrong('0 0 1 * 1#3')?.message).toBe('fits no day of ten years');
  expect(lineWrong('0 0 3 * * *')).toEqual({
    message: 'has 6 fields',
    fix: expect.stringContaining('there are no seconds') as string,
  });
  expect(lineWrong('@reboot')?.fix).toContain('@daily');
  expect(lineWrong('noon')?.message).toBe('has 1 fields');
  // Each would be written out as millions of numbers.
  for (const huge of ['0-999999999 * * * *', '0 0 * 1-decdecdecdec *', '0 0 * * mon12mon12mon-2'])
    expect(lineWrong(huge)?.message).toContain('is no number of two digits');
  for (const zone of ['UTC', 'Europe/Berlin', 'US/Eastern']) expect(zoneWrong(zone)).toBeUndefined();
  expect(zoneWrong('Europe/Berln')).toEqual({
    message: 'there is no time zone Europe/Berln',
    fix: 'did you mean Europe/Berlin? use a name such as UTC or Europe/Berlin',
  });
  expect(zoneWrong('+02:00')?.message).toContain('there is no time zone');
});
