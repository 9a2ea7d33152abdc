/** Membership against its truth table in docs/health.md, and the guards as properties of every pool. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MASS_WINDOW_MS, massFailure, noFailure } from '../../common/health/mass.ts';
import { type Candidate, membership } from '../../common/health/membership.ts';
import { well } from '../support/candidate.ts';

const rules = { minMembers: 1, slowStart: 0 };

// --- the table of the page -----------------------------------------------------------------------------------

interface Row {
  operator: string;
  probe: string;
  reports: string;
  rest: string;
  member: string;
  reason: string;
}

function tableOfThePage(): Row[] {
  const page = readFileSync(new URL('../../docs/health.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('| operator | probe |')).split('\n\n')[0]!;
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => {
      const [operator = '', probe = '', reports = '', rest = '', member = '', reason = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { operator, probe, reports, rest, member, reason };
    });
}

/** Every way in which one member of a pool can stand, in the words of the page. */
const operators: Record<string, Partial<Candidate>> = {
  none: { operator: 'none' },
  maintenance: { operator: 'maintenance' },
  drain: { operator: 'drain', connections: 3, drainLeft: 1000 },
  'drain without a deadline': { operator: 'drain', connections: 3 },
  'drain not yet shown': { operator: 'drain', connections: null },
  'drain, none left': { operator: 'drain', connections: 0, drainLeft: 1000 },
  'drain, past its deadline': { operator: 'drain', connections: 3, drainLeft: 0 },
};
const reports: Record<string, Partial<Candidate>> = {
  up: { opinion: 'up', fresh: true },
  down: { opinion: 'down', fresh: true },
  'down, set aside': { opinion: 'down', fresh: true },
  none: { opinion: 'none', fresh: true },
  'old up': { opinion: 'up', fresh: false },
  'old down': { opinion: 'down', fresh: false },
  'up, held': { opinion: 'up', fresh: true, holdLeft: 1000 },
};
const rests: Record<string, Candidate[]> = {
  enough: [well('b'), well('c')],
  'at its floor': [],
  'at its floor, by minMembers': [well('b'), well('c')],
};

const fits = (cell: string, found: string): boolean =>
  cell === 'any' || cell === found || (cell === 'none, or old' && /^(none|old)/.test(found));

const fitsOperator = (cell: string, found: string): boolean =>
  cell === found || cell === 'any' || (cell === 'drain' && found.startsWith('drain'));

const situations = Object.keys(operators).flatMap((operator) =>
  (['up', 'down', 'unknown'] as const).flatMap((probe) =>
    Object.keys(reports).flatMap((report) =>
      Object.keys(rests).map((rest) => ({ operator, probe, report, rest })),
    ),
  ),
);

describe('[2.7] the truth table in docs/health.md', () => {
  const rows = tableOfThePage();
  const rowFor = ({ operator, probe, report, rest }: (typeof situations)[number]) =>
    rows.find(
      (row) =>
        fitsOperator(row.operator, operator) &&
        fits(row.probe, probe) &&
        fits(row.reports, report) &&
        fits(row.rest, rest.split(',')[0]!),
    );

  it('has a row for every situation, and no row that never decides', () => {
    const deciding = situations.map(rowFor);
    expect(deciding).not.toContain(undefined);
    expect(new Set(deciding)).toEqual(new Set(rows));
  });

  it('decides every situation as the page says', () => {
    const found = situations.map((situation) => ({ situation, ...decisionIn(situation) }));
    const page = situations.map((situation) => {
      const { member, reason } = rowFor(situation)!;
      return { situation, state: member, reasons: [reason] };
    });
    expect(found).toEqual(page);
  });

  const decisionIn = ({ operator, probe, report, rest }: (typeof situations)[number]) => {
    const member = well('a', { ...operators[operator], ...reports[report], probe });
    const minMembers = rest.endsWith('minMembers') ? 3 : 1;
    const flags = { probesOnly: report === 'down, set aside' };
    const { members } = membership({ ...rules, minMembers }, [member, ...rests[rest]!], flags);
    const { state, reasons } = members.find(({ node }) => node === 'a')!;
    return { state, reasons };
  };
});

// --- properties of every pool ----------------------------------------------------------------------------------

const candidate = (node: string): fc.Arbitrary<Candidate> =>
  fc.record(
    {
      node: fc.constant(node),
      weight: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 256 })),
      operator: fc.constantFrom('none' as const, 'none' as const, 'drain' as const, 'maintenance' as const),
      drainLeft: fc.integer({ min: 0, max: 10 }),
      probe: fc.constantFrom('up' as const, 'down' as const, 'unknown' as const),
      opinion: fc.constantFrom('up' as const, 'down' as const, 'none' as const),
      fresh: fc.boolean(),
      connections: fc.option(fc.integer({ min: 0, max: 3 })),
      holdLeft: fc.integer({ min: 0, max: 2 }),
      upFor: fc.integer({ min: 0, max: 60_000 }),
    },
    {
      requiredKeys: ['node', 'weight', 'operator', 'probe', 'opinion', 'fresh', 'connections'],
    },
  );
const pool = fc
  .integer({ min: 0, max: 8 })
  .chain((size) => fc.tuple(...Array.from({ length: size }, (_, index) => candidate(`n${index}`))));
const rulesOf = fc.record({
  minMembers: fc.integer({ min: 0, max: 6 }),
  slowStart: fc.constantFrom(0, 30_000),
});
const flagsOf = fc.record({ probesOnly: fc.boolean() });

const ableIn = (members: readonly Candidate[]) =>
  members.filter(({ operator, probe, weight }) => operator === 'none' && probe !== 'down' && weight > 0);

type Decide = typeof membership;

/** The guard: what neither the operator nor the probe takes out is never brought below the floor by reports. */
const keepsTheFloor = (decide: Decide) =>
  fc.property(rulesOf, pool, flagsOf, (given, members, flags) => {
    const serving = decide(given, members, flags).members.filter(
      ({ state, weight }) => state === 'up' && weight > 0,
    );
    const floor = Math.min(Math.max(1, given.minMembers), ableIn(members).length);
    return serving.length >= floor;
  });

describe('[2.7] the pool guards hold for every pool:', () => {
  it('reports alone never empty a pool nor bring it below minMembers', () => {
    fc.assert(keepsTheFloor(membership), { numRuns: 2000 });
  });

  it('and a decider without the guard is caught', () => {
    const unguarded: Decide = (given, members, flags) => {
      const decided = membership(given, members, flags);
      const isBad = (node: string) =>
        members.some((member) => member.node === node && member.fresh && member.opinion === 'down');
      const kept = decided.members.map((found) =>
        isBad(found.node) ? { ...found, state: 'down' as const, weight: 0 } : found,
      );
      return { ...decided, members: kept };
    };
    expect(fc.check(keepsTheFloor(unguarded), { numRuns: 2000 }).failed).toBe(true);
  });

  it('the operator outranks health', () => {
    fc.assert(
      fc.property(rulesOf, pool, flagsOf, (given, members, flags) => {
        const decided = new Map(
          membership(given, members, flags).members.map((found) => [found.node, found.state]),
        );
        return members.every(({ node, operator }) => {
          if (operator === 'maintenance') return decided.get(node) === 'down';
          return operator === 'none' ? decided.get(node) !== 'drain' : decided.get(node) !== 'up';
        });
      }),
    );
  });

  it('a member whose probe fails is never up', () => {
    fc.assert(
      fc.property(rulesOf, pool, flagsOf, (given, members, flags) => {
        const failing = new Set(members.filter(({ probe }) => probe === 'down').map(({ node }) => node));
        return membership(given, members, flags).members.every(
          ({ node, state }) => !failing.has(node) || state === 'down',
        );
      }),
    );
  });

  it('the order of the members does not matter, and the same values give the same answer', () => {
    const shuffled = pool.chain((members) =>
      fc.tuple(
        fc.constant(members),
        fc.shuffledSubarray([...members], { minLength: members.length, maxLength: members.length }),
      ),
    );
    fc.assert(
      fc.property(rulesOf, shuffled, flagsOf, (given, [members, others], flags) => {
        expect(membership(given, others, flags)).toEqual(membership(given, members, flags));
      }),
    );
  });

  it('an old opinion says nothing, and nor do reports that are set aside', () => {
    const states = (members: readonly Candidate[], flags = { probesOnly: false }) =>
      membership(rules, members, flags).members.map(({ node, state, weight }) => ({ node, state, weight }));
    fc.assert(
      fc.property(pool, (members) => {
        const silent = members.map((member) => ({ ...member, opinion: 'none' as const }));
        expect(states(members.map((member) => ({ ...member, fresh: false })))).toEqual(states(silent));
        expect(states(members, { probesOnly: true })).toEqual(states(silent));
      }),
    );
  });

  it('the fallback serves exactly when nobody takes new connections', () => {
    fc.assert(
      fc.property(rulesOf, pool, flagsOf, (given, members, flags) => {
        const { members: decided, fallback, warnings } = membership(given, members, flags);
        const serving = decided.some(({ state, weight }) => state === 'up' && weight > 0);
        expect(fallback).toBe(!serving);
        expect(warnings.includes('nobody-left')).toBe(fallback);
      }),
    );
  });
});

describe('[2.7] membership', () => {
  it('warns when the operator takes the last that could serve', () => {
    const { fallback, warnings } = membership(
      rules,
      [well('a', { operator: 'maintenance' }), well('b', { probe: 'down' })],
      { probesOnly: false },
    );
    expect(fallback).toBe(true);
    expect(warnings).toEqual(['nobody-left', 'operator-took-the-last']);
  });

  it('keeps, of members that are all reported down, the one whose probe passes', () => {
    const bad = { opinion: 'down' as const };
    const { members, warnings } = membership(
      rules,
      [well('a', { ...bad, probe: 'unknown' }), well('b', bad), well('c', { ...bad, probe: 'unknown' })],
      { probesOnly: false },
    );
    expect(members.map(({ state }) => state)).toEqual(['down', 'up', 'down']);
    expect(warnings).toEqual(['kept-despite-reports']);
  });

  it('gives a member that came back a growing part of its weight, and all of it without slow start', () => {
    const weightAfter = (upFor: number, slowStart: number) =>
      membership({ minMembers: 1, slowStart }, [well('a', { upFor }), well('b')], { probesOnly: false })
        .members[0]!.weight;
    const weights = [0, 15_000, 30_000, 90_000].map((upFor) => weightAfter(upFor, 30_000));
    expect(weights).toEqual([10, 50, 100, 100]);
    expect(weightAfter(0, 0)).toBe(100);
  });

  it('keeps a flapping member out while its hold-down lasts, but not below the floor', () => {
    const held = well('a', { holdLeft: 100 });
    const stateOf = (members: Candidate[]) =>
      membership(rules, members, { probesOnly: false }).members[0]!.state;
    expect(stateOf([held, well('b')])).toBe('down');
    expect(stateOf([held])).toBe('up');
  });
});

describe('[2.7] more than half of a pool failing by reports', () => {
  it('within a few seconds sets reports aside, until no more than half are reported down', () => {
    let mass = massFailure(noFailure, ['a'], 3, 0);
    expect(mass.tripped).toBe(false);
    mass = massFailure(mass, ['a', 'b'], 3, MASS_WINDOW_MS);
    expect(mass.tripped).toBe(true);
    mass = massFailure(mass, ['a', 'b'], 3, 60_000);
    expect(mass.tripped).toBe(true);
    mass = massFailure(mass, ['b'], 3, 61_000);
    expect(mass.tripped).toBe(false);
  });

  it('one after the other, over a longer time, does not', () => {
    const first = massFailure(noFailure, ['a'], 3, 0);
    expect(massFailure(first, ['a', 'b'], 3, MASS_WINDOW_MS + 1).tripped).toBe(false);
  });

  it('is more than half of any size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 50 }), (size, failing) => {
        const down = Array.from({ length: Math.min(failing, size) }, (_, index) => `n${index}`);
        expect(massFailure(noFailure, down, size, 0).tripped).toBe(down.length > size / 2);
      }),
    );
  });
});
