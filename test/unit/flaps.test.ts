/** Slow start, hold-down and the floor, as properties of every history that a pool can have. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DecidedPool, decidePool } from '../../agent/balance/decide.ts';
import { nothingKnown, type PoolMemory } from '../../agent/balance/memory.ts';
import type { ActualMember } from '../../agent/balance/readback.ts';
import type { Member, Service } from '../../agent/balance/targets.ts';
import { type Falls, fallsAfter, holdLeft, holdOf, QUIET_MS, type Stand } from '../../common/health/flaps.ts';
import type { Verdict } from '../../common/health/judge.ts';
import { type Candidate, membership } from '../../common/health/membership.ts';
import { weightForShare } from '../../common/health/ramp.ts';
import { parseResource, type Resource } from '../../protocol/resource.ts';
import { well as up } from '../support/candidate.ts';

const S = 1000;
const hold = { first: 10 * S, cap: 300 * S };
const wellStand: Stand = { operator: 'none', probe: 'up', opinion: 'up', counts: true };
const badStand: Stand = { ...wellStand, probe: 'down' };

/** A history: each look with the seconds since the one before. */
const follow = (looks: readonly [seconds: number, stand: Stand][], rules = hold) => {
  let now = 0;
  let falls: Falls | undefined;
  for (const [seconds, stand] of looks) {
    now += seconds * S;
    falls = fallsAfter(falls, stand, rules, now);
  }
  return { falls: falls!, now, left: holdLeft(falls!, rules, now) / S };
};
/** Falls and is well again, `times` over, with `well` seconds between. */
const flapping = (times: number, well = 1): [number, Stand][] => [
  [0, wellStand],
  ...Array.from({ length: times }).flatMap((): [number, Stand][] => [
    [well, badStand],
    [5, wellStand],
  ]),
];

describe('[3.10] hold-down', () => {
  it('leaves the first fall alone, and doubles with each that follows, up to its cap', () => {
    const lefts = [1, 2, 3, 4, 5, 6, 7, 8, 200].map((times) => follow(flapping(times)).left);
    expect(lefts).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('holds nobody where its first hold is 0', () => {
    expect(follow(flapping(200), { first: 0, cap: 300 * S }).left).toBe(0);
  });

  it('is counted from the moment at which the member is well again', () => {
    const again = follow([...flapping(1), [1, badStand], [400, wellStand]]);
    expect(again.left).toBe(10);
    expect(follow([...flapping(2), [4, wellStand]]).left).toBe(6);
  });

  it('is forgotten after ten minutes of trust, and not before', () => {
    const minutes = QUIET_MS / S;
    expect(follow([...flapping(2), ...flapping(1, 10 + minutes - 1).slice(1)]).left).toBe(20);
    expect(follow([...flapping(2), ...flapping(1, 10 + minutes).slice(1)]).left).toBe(0);
  });

  it('is not begun by what an operator does, and ended by it', () => {
    const out: Stand = { ...badStand, operator: 'maintenance' };
    const round: [number, Stand][] = [
      [1, out],
      [5, { ...wellStand, operator: 'drain' }],
      [1, wellStand],
    ];
    expect(follow([...flapping(1), ...round, ...round, ...round]).left).toBe(0);
    expect(
      follow([...flapping(5), [1, { ...wellStand, operator: 'maintenance' }], [1, wellStand]]).left,
    ).toBe(0);
  });

  it('takes a lease that ran out, and one that came anew, for neither a return nor a fall', () => {
    const reported: Stand = { ...wellStand, opinion: 'down' };
    const lapsed: Stand = { ...wellStand, opinion: 'none', counts: false };
    const restarts = Array.from({ length: 5 }).flatMap((): [number, Stand][] => [
      [1, lapsed],
      [1, reported],
    ]);
    const { falls, left } = follow([[0, wellStand], [1, reported], ...restarts, [1, wellStand]]);
    expect([falls.count, left]).toEqual([1, 0]);
    const byProbe = follow([[0, { ...lapsed, probe: 'up' }], ...flapping(2).map(withoutReports)]);
    expect(byProbe.left).toBe(10);
  });
  const withoutReports = ([seconds, stand]: [number, Stand]): [number, Stand] => [
    seconds,
    { ...stand, opinion: 'none', counts: false },
  ];

  const history = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 900 }),
      fc.record({
        operator: fc.constantFrom('none' as const, 'none' as const, 'none' as const, 'drain' as const),
        probe: fc.constantFrom('up' as const, 'down' as const, 'unknown' as const),
        opinion: fc.constantFrom('up' as const, 'down' as const, 'none' as const),
        counts: fc.boolean(),
      }),
    ),
    { minLength: 1, maxLength: 60 },
  );
  const rulesOf = fc.record({
    first: fc.integer({ min: 0, max: 60 * S }),
    cap: fc.integer({ min: 0, max: 600 * S }),
  });

  it('is never longer than its cap, never shorter after one more flap, and never at once after a first look', () => {
    fc.assert(
      fc.property(history, rulesOf, fc.integer({ min: 2, max: 2000 }), (looks, rules, count) => {
        const { left } = follow(looks, rules);
        expect(left * S).toBeLessThanOrEqual(rules.cap);
        expect(holdOf(count + 1, rules)).toBeGreaterThanOrEqual(holdOf(count, rules));
        expect(holdOf(count + 1, rules)).toBe(
          Math.min(rules.cap, 2 * Math.min(rules.cap, holdOf(count, rules))),
        );
        expect(follow(looks.slice(0, 1), rules).left).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});

const slowly = { minMembers: 1, slowStart: 30 * S };
const flags = { probesOnly: false };
const weightsOf = (members: readonly Candidate[], rules = slowly) =>
  membership(rules, members, flags).members.map(({ weight }) => weight);

describe('[3.10] slow start', () => {
  const weight = fc.integer({ min: 1, max: 256 });
  const slowStart = fc.integer({ min: 1, max: 600 * S });

  it('grows beside one that is in for long, never to none and never beyond the declared weight, in at most ten steps', () => {
    fc.assert(
      fc.property(weight, slowStart, (declared, ramp) => {
        const rules = { minMembers: 1, slowStart: ramp };
        const looks = Array.from({ length: 301 }, (_, index) => (ramp * index) / 300);
        const weights = looks.map(
          (upFor) => weightsOf([up('a', { weight: declared, upFor }), up('b')], rules)[0]!,
        );
        expect(weights).toEqual([...weights].sort((a, b) => a - b));
        expect(weights[0]).toBe(Math.max(1, Math.round(declared / 10)));
        expect(weights.at(-1)).toBe(declared);
        expect(new Set(weights).size).toBeLessThanOrEqual(10);
      }),
    );
  });

  it('leaves members that begin together their proportions, and one that is alone its weight', () => {
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 1, maxLength: 8 }),
        slowStart,
        fc.nat(),
        (declared, ramp, upFor) => {
          const members = declared.map((each, index) => up(`n${index}`, { weight: each, upFor }));
          expect(weightsOf(members, { minMembers: 1, slowStart: ramp })).toEqual(declared);
        },
      ),
    );
  });

  it('is never 0 for who is up and was given a weight, however the pool stands', () => {
    const member = fc.record({ weight, upFor: fc.option(fc.nat(40 * S), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 8 }), (members) => {
        const given = members.map((each, index) => up(`n${index}`, each as Partial<Candidate>));
        for (const each of membership(slowly, given, flags).members)
          expect(each.weight).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('leaves the fallback its part while a pool returns from nobody, until one is at its full weight', () => {
    const shareAt = (upFor: number, more: Candidate[] = [up('b', { probe: 'down' })]) =>
      membership(slowly, [up('a', { upFor }), ...more], { ...flags, returning: true }).fallbackShare;
    const shares = [0, 6, 15, 27, 30].map((seconds) => Number(shareAt(seconds * S).toFixed(3)));
    expect(shares).toEqual([0.9, 0.8, 0.5, 0.1, 0]);
    expect(shareAt(0, [up('b')])).toBe(0);
    expect(shareAt(0, [])).toBe(0);
    expect(membership(slowly, [up('a', { upFor: 0 }), up('b', { probe: 'down' })], flags).fallbackShare).toBe(
      0,
    );
  });

  it('has a fallback that stands alone keep, of who comes first, all but a tenth', () => {
    const down = { probe: 'down' } as const;
    const shareOf = (slowStart: number, given: Candidate[]) =>
      membership({ minMembers: 1, slowStart }, given, flags).fallbackShare;
    expect(shareOf(30 * S, [up('a', down), up('b', down)])).toBe(0.9);
    expect(shareOf(0, [up('a', down), up('b', down)])).toBe(0);
    expect(shareOf(30 * S, [up('a', down)])).toBe(0);
  });

  it('says with which weight the fallback gets that part', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 256 }), (tenths, together) => {
        const extra = weightForShare(tenths / 10, together);
        expect(Math.abs(extra / (extra + together) - tenths / 10)).toBeLessThanOrEqual(0.5 / together);
      }),
    );
    expect(weightForShare(0, 100)).toBe(0);
  });
});

// --- a director's pool through time ------------------------------------------------------------------------------

const declared = <T extends Resource['kind']>(kind: T, name: string, spec: object) => {
  const parsed = parseResource({ kind, name, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource as unknown as T extends 'Node' ? Member : Service;
};
const members = ['a', 'b', 'c'].map((name, index) =>
  declared('Node', name, { roles: ['web'], address: `127.0.0.${index + 1}` }),
);
const serviceWith = (pool: object) =>
  declared('VirtualService', 'web', {
    vip: '192.0.2.10',
    ports: [80],
    pool: { role: 'web', check: 'http', ...pool },
  });

/** Steps a pool by looks of a second; the balancer does what it is told. */
function createPool(pool: object, begin: Record<string, 'ready' | 'maint' | null>) {
  const service = serviceWith(pool);
  let admin = begin;
  let memory: PoolMemory = nothingKnown;
  let tick = 0;
  const look = (probes: Record<string, Verdict>, seconds = 1): DecidedPool['verdict'] => {
    tick += seconds * S;
    const actual = new Map(
      members.map(({ name }): [string, ActualMember] => [
        name,
        { admin: admin[name] ?? null, state: 'up', weight: 1, connections: 0, detail: '' },
      ]),
    );
    const seen = new Map(members.map(({ name }) => [name, probes[name] ?? 'up']));
    const now = Date.UTC(2026, 0, 1) + tick;
    const decided = decidePool({ service, members, heard: null, probes: seen, actual, memory, now, tick });
    memory = decided.memory;
    admin = Object.fromEntries(
      decided.verdict.members.map(({ node, state }) => [node, state === 'up' ? 'ready' : 'maint']),
    );
    return decided.verdict;
  };
  return { look };
}
const shown = (verdict: DecidedPool['verdict']) =>
  Object.fromEntries(
    verdict.members.map(({ node, state, weight }) => [node, state === 'up' ? weight : state]),
  );
const allIn = { a: 'ready', b: 'ready', c: 'ready' } as const;
const none = { a: 'down', b: 'down', c: 'down' } as const;

describe('[3.10] what a director remembers of its pool', () => {
  it('brings a member that came back to its weight step by step', () => {
    const pool = createPool({ slowStart: '30s' }, allIn);
    expect(shown(pool.look({}))).toEqual({ a: 100, b: 100, c: 100 });
    pool.look({ b: 'down' }, 30);
    const weights = [0, 3, 6, 6, 9, 6].map((seconds) => shown(pool.look({}, seconds)).b);
    expect(weights).toEqual([10, 10, 30, 50, 80, 100]);
  });

  it('starts nobody slowly who was in already when the agent came', () => {
    const pool = createPool({ slowStart: '30s' }, { ...allIn, c: 'maint' });
    expect(shown(pool.look({ c: 'down' }))).toEqual({ a: 100, b: 100, c: 'down' });
    expect(shown(pool.look({}))).toEqual({ a: 100, b: 100, c: 10 });
  });

  it('starts a member slowly that the balancer did not know, from when it has it', () => {
    const pool = createPool({ slowStart: '30s' }, { ...allIn, c: null });
    pool.look({ c: 'down' });
    expect(shown(pool.look({}))).toEqual({ a: 100, b: 100, c: 10 });
    expect(shown(pool.look({}, 15))).toEqual({ a: 100, b: 100, c: 50 });
  });

  it('gives a pool that is new the weights that were declared, and none of it to the fallback', () => {
    const pool = createPool({ slowStart: '30s' }, { a: null, b: null, c: null });
    pool.look(none);
    const first = pool.look({});
    expect([shown(first), first.fallbackShare]).toEqual([{ a: 100, b: 100, c: 100 }, 0]);
  });

  it('shares with the fallback after everybody was lost, and no more when one has grown', () => {
    const pool = createPool({ slowStart: '30s' }, allIn);
    pool.look({});
    expect(pool.look(none, 60).fallbackShare).toBe(0.9);
    const back = { b: 'down', c: 'down' } as const;
    const shares = [1, 15, 15, 1].map((seconds) => Number(pool.look(back, seconds).fallbackShare.toFixed(2)));
    expect(shares).toEqual([0.9, 0.5, 0, 0]);
    expect(pool.look({}).fallbackShare).toBe(0);
  });

  it('holds a member that flaps, and says for what reason', () => {
    const pool = createPool({ holdDown: { first: '10s' } }, allIn);
    pool.look({});
    pool.look({ b: 'down' });
    expect(shown(pool.look({})).b).toBe(100);
    pool.look({ b: 'down' });
    const held = pool.look({});
    expect(held.members[1]).toMatchObject({ state: 'down', reasons: ['held-down'] });
    expect(shown(pool.look({}, 9)).b).toBe('down');
    expect(shown(pool.look({}, 1)).b).toBe(100);
  });

  const looks = fc.array(
    fc.record({
      seconds: fc.integer({ min: 0, max: 20 }),
      probes: fc.record({
        a: fc.constantFrom('up' as const, 'down' as const),
        b: fc.constantFrom('up' as const, 'down' as const),
        c: fc.constantFrom('up' as const, 'down' as const),
      }),
    }),
    { minLength: 1, maxLength: 80 },
  );

  it('keeps, of members that all flap, as many serving as the floor asks for and probes find well', () => {
    fc.assert(
      fc.property(looks, fc.integer({ min: 0, max: 3 }), (history, minMembers) => {
        const holdDown = { first: '60s', cap: '5m' };
        const pool = createPool({ minMembers, slowStart: '30s', holdDown }, allIn);
        for (const { seconds, probes } of history) {
          const { members: decided } = pool.look(probes, seconds);
          const well = Object.values(probes).filter((probe) => probe === 'up').length;
          const serving = decided.filter(({ state, weight }) => state === 'up' && weight > 0);
          expect(serving.length).toBeGreaterThanOrEqual(Math.min(well, Math.max(1, minMembers)));
          expect(decided.every(({ node, state }) => state !== 'up' || probes[node as 'a'] === 'up')).toBe(
            true,
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});
