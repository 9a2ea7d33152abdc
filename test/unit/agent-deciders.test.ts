/** The deciders of the pipeline: what has to be done, who is to blame, how far a pass may go, and when a person must look. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bisect } from '../../agent/converge/bisect.ts';
import { createFights } from '../../agent/converge/fights.ts';
import { isTooMany } from '../../agent/converge/hold.ts';
import { allowed } from '../../agent/converge/mode.ts';
import { decide } from '../../agent/converge/plan.ts';
import { createRestarts } from '../../agent/converge/restarts.ts';
import { planService } from '../../agent/drivers/driver.ts';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createManualClock } from '../support/clock.ts';

describe('what has to be done', () => {
  const right = {
    wanted: 'b',
    active: 'b',
    record: { wanted: 'b', loaded: 'b', good: 'b' },
    drift: false,
    kernel: false,
    died: false,
    redefined: false,
  };
  it.each([
    ['nothing when all is right', right, [false, false, false]],
    [
      'everything for another tree',
      { ...right, active: 'a', record: { wanted: 'a', loaded: 'a', good: 'a' } },
      [true, true, true],
    ],
    [
      'everything for the first tree',
      { ...right, active: null, record: { wanted: null, loaded: null, good: null } },
      [true, true, true],
    ],
    [
      'the owed reload after a crash behind the swap',
      { ...right, record: { wanted: 'b', loaded: 'a', good: 'a' } },
      [false, true, true],
    ],
    [
      'the owed reload after a crash in a repair',
      { ...right, record: { wanted: null, loaded: 'b', good: 'b' } },
      [false, true, true],
    ],
    [
      'the owed verify after a crash behind the reload',
      { ...right, record: { wanted: 'b', loaded: 'b', good: 'a' } },
      [false, false, true],
    ],
    ['files and a reload for drift', { ...right, drift: true }, [true, true, true]],
    ['a reload for what the kernel lost', { ...right, kernel: true }, [false, true, true]],
    ['a start for a daemon that died', { ...right, died: true }, [false, true, true]],
    ['a start for a service that is defined otherwise', { ...right, redefined: true }, [false, true, true]],
  ])('[2.5] is %s', (_, facts, [tree, load, verify]) => {
    expect(decide(facts)).toEqual({ tree, load, verify });
  });
});

describe('bisection', () => {
  const suspects = fc.uniqueArray(fc.record({ id: fc.nat(500), bad: fc.boolean() }), {
    maxLength: 60,
    selector: ({ id }) => id,
  });

  it('[2.5] finds exactly those that fail alone, each with its own message', async () => {
    await fc.assert(
      fc.asyncProperty(suspects, async (all) => {
        const words = (some: typeof all) => `no ${some.map(({ id }) => id).join(' ')}`;
        const judge = async (some: readonly (typeof all)[number][]) => {
          const failing = some.filter(({ bad }) => bad);
          return failing.length > 0 ? words(failing) : null;
        };
        const found = await bisect(all, judge, all.length);
        expect([...found]).toEqual(all.filter(({ bad }) => bad).map((one) => [one, words([one])]));
      }),
    );
  });

  it('[2.5] finds nobody when each passes alone', async () => {
    const judge = async (some: readonly number[]) =>
      some.includes(3) && some.includes(9) ? 'they quarrel' : null;
    expect(await bisect([1, 3, 5, 7, 9], judge, 5)).toEqual(new Map());
  });

  it('[2.5] finds one among a thousand in about twenty tries, and gives up when too many fail', async () => {
    let tries = 0;
    const all = Array.from({ length: 1000 }, (_, at) => at);
    const counted =
      (verdict: (some: readonly number[]) => string | null) => async (some: readonly number[]) => {
        tries += 1;
        return verdict(some);
      };
    await bisect(
      all,
      counted((some) => (some.includes(617) ? 'it' : null)),
      200,
    );
    expect(tries).toBeLessThan(25);
    tries = 0;
    await bisect(
      all,
      counted(() => 'all'),
      3,
    );
    expect(tries).toBeLessThan(40);
  });
});

describe('a unit is held whole', () => {
  const changed = (count: number) => ({
    items: Array.from({ length: count }, (_, at) => `Site/${at}`),
    shared: [],
  });
  const first = (count: number) => changed(count).items;

  it.each([
    ['not for one of one', 1, 1, false],
    ['not for two of two', 2, 2, false],
    ['not for five of five', 5, 5, false],
    ['for six of six', 6, 6, true],
    ['for six of twenty-nine', 6, 29, true],
    ['not for six of thirty', 6, 30, false],
    ['not for twenty of a hundred', 20, 100, false],
    ['for twenty-one of a hundred', 21, 100, true],
  ])('[2.5] %s', (_, bad, of, expected) => {
    expect(isTooMany(first(bad), changed(of), 1000)).toBe(expected);
  });

  it('[2.5] for six that changed nothing, where they are more than a fifth of all', () => {
    const others = Array.from({ length: 6 }, (_, at) => `Site/other${at}`);
    expect(isTooMany(others, changed(1), 1000)).toBe(false);
    expect(isTooMany(others, changed(1), 9)).toBe(true);
  });
});

describe('how far a pass may go', () => {
  const now = Date.UTC(2026, 10, 21);
  const at = (ms: number) => new Date(now + ms).toISOString();
  const hold = (until?: string) => ({ reason: 'a look', owner: 'ann', ...(until ? { until } : {}) });

  it.each([
    ['enforce', { mode: 'enforce' }, { mode: 'enforce' }],
    ['audit', { mode: 'audit' }, { mode: 'enforce' }],
    ['audit', { mode: 'enforce' }, { mode: 'audit' }],
    ['hold', { mode: 'audit' }, { mode: 'hold' }],
    ['hold', { mode: 'enforce', hold: hold() }, { mode: 'audit' }],
    ['hold', { mode: 'enforce', hold: hold(at(1)) }, { mode: 'enforce' }],
    ['enforce', { mode: 'enforce', hold: hold(at(0)) }, { mode: 'enforce' }],
    ['audit', { mode: 'audit', hold: hold(at(-1)) }, { mode: 'enforce' }],
  ] as const)('[2.5] %s is the stricter of node %j and policy %j', (mode, node, policy) => {
    expect(allowed(node, policy, now).mode).toBe(mode);
  });

  it('[2.5] is said with who holds it and for how long', () => {
    expect(allowed({ mode: 'enforce', hold: hold(at(5000)) }, { mode: 'enforce' }, now)).toEqual({
      mode: 'hold',
      why: 'node on hold by ann: a look',
      left: 5000,
    });
  });
});

it('[2.5] a path is a fight at its fourth correction within ten minutes, and anew after four more', async () => {
  const clock = createManualClock();
  const fights = createFights(clock);
  const counts: (number | null)[] = [];
  for (let time = 0; time < 8; time += 1) {
    counts.push(fights.note('a'));
    fights.note(`other ${time}`);
    await clock.advance(60_000);
  }
  expect(counts).toEqual([null, null, null, 4, null, null, null, 4]);
  for (let time = 0; time < 8; time += 1) {
    expect(fights.note('slow')).toBeNull();
    await clock.advance(3.5 * 60_000);
  }
});

it('[2.5] a daemon is started at once when it died once, and after longer pauses when it keeps dying', async () => {
  const clock = createManualClock();
  const restarts = createRestarts(clock);
  const pauses: number[] = [];
  for (let time = 0; time < 9; time += 1) {
    pauses.push(restarts.wait());
    await clock.advance(restarts.wait());
    restarts.note();
  }
  expect(pauses).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  await clock.advance(200_000);
  restarts.note();
  expect(restarts.wait()).toBe(1000);
});

describe('a service', () => {
  it.each([
    ['running', 7, []],
    ['running', null, ['start']],
    ['reloaded', 7, ['reload']],
    ['reloaded', null, ['start']],
    ['restarted', 7, ['stop', 'start']],
    ['restarted', null, ['start']],
    ['stopped', 7, ['stop']],
    ['stopped', null, ['stop']],
  ] as const)('[2.5] to be %s, with pid %s, asks for %j', (wish, pid, acts) => {
    expect(planService({ pid }, wish)).toEqual(acts);
  });
});

describe('an executable', () => {
  const list = createExecutables({ nginx: '/usr/sbin/nginx' });

  it('[2.5] is run by its name or its path when it is on the list of the box', () => {
    expect(list.resolve(['nginx', '-t'])).toEqual(['/usr/sbin/nginx', '-t']);
    expect(list.resolve(['/usr/sbin/nginx'])).toEqual(['/usr/sbin/nginx']);
    expect([list.allows('nginx'), list.allows('sh')]).toEqual([true, false]);
  });

  it.each(['sh', '/bin/sh', './nginx', '/usr/sbin/../sbin/nginx', 'constructor', ''])(
    '[2.5] %j is refused',
    (name) => {
      expect(() => list.resolve([name])).toThrow(expect.objectContaining({ code: 'executable-refused' }));
    },
  );
});
