/** The history of balancers: rings of a real file, filled by a clock that is moved by hand. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../common/log.ts';
import { type Counted, counted, increase, perSecond, zero } from '../../manager/history/counters.ts';
import { createHistory, type HistoryKeeper, type Kept } from '../../manager/history/history.ts';
import { momentOf, placeOf, placesBetween, ringFor, rings } from '../../manager/history/rings.ts';
import { openHistoryFile } from '../../manager/store/history-file.ts';
import type { Traffic } from '../../protocol/messages.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { until } from '../support/until.ts';

const log = createLog('test', 'silent');
const [S, HOUR, DAY] = [1000, 3_600_000, 86_400_000];
const START = Date.UTC(2026, 0, 1);

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-history-'));
  file = join(folder, 'history.sqlite');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('[3.9] rings', () => {
  it('hold 10 s for 6 h, 5 min for 30 days and 1 h for 2 years', () => {
    expect(rings.map(({ step, ms, slots }) => [step, ms * slots])).toEqual([
      ['10s', 6 * HOUR],
      ['5m', 30 * DAY],
      ['1h', 730 * DAY],
    ]);
  });

  it('have one place for each moment, and no place for two moments of one lap', () => {
    const moment = fc.integer({ min: 0, max: 4e12 });
    fc.assert(
      fc.property(fc.constantFrom(...rings), moment, moment, (ring, a, b) => {
        const [here, there] = [placeOf(ring, a), placeOf(ring, b)];
        expect(momentOf(ring, here)).toBe(Math.floor(a / ring.ms) * ring.ms);
        expect(here.slot).toBeLessThan(ring.slots);
        const same = here.slot === there.slot && here.lap === there.lap;
        expect(same).toBe(Math.floor(a / ring.ms) === Math.floor(b / ring.ms));
      }),
    );
  });

  it('answer from the finest that reaches back and is no more than anybody can use', () => {
    const step = (from: number, to = 0) => ringFor(START - from, START - to, START).step;
    expect([HOUR, 2 * HOUR, 6 * HOUR, DAY, 30 * DAY, 400 * DAY].map((from) => step(from))).toEqual([
      '10s',
      '10s',
      '5m',
      '5m',
      '1h',
      '1h',
    ]);
    expect(step(7 * HOUR, 6 * HOUR)).toBe('5m');
    expect(placesBetween(rings[0]!, 0, START, START)).toHaveLength(2160);
  });
});

describe('[3.9] counters', () => {
  const count = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: 2 ** 50 }));
  const counts: fc.Arbitrary<Counted> = fc.record({
    connections: count,
    packetsIn: fc.option(count),
    packetsOut: fc.option(count),
    bytesIn: count,
    bytesOut: count,
  });

  it('that began anew give what they show since, never less than nothing and never more than was counted', () => {
    fc.assert(
      fc.property(counts, counts, (before, now) => {
        const added = increase(before, now);
        for (const name of counted) {
          const [value, later] = [added[name], now[name]];
          if (value === null || later === null) continue;
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(later);
        }
      }),
    );
    const before = { ...zero, connections: 900, bytesOut: 1e12 };
    expect(increase(before, { ...zero, connections: 4, bytesOut: 2e12 })).toMatchObject({ connections: 4 });
  });

  it('that were read twice in no time give no rate', () => {
    expect(perSecond({ ...zero, packetsIn: null, bytesIn: 5 }, 0)).toEqual({ ...zero, packetsIn: null });
  });
});

// --- a whole history ---------------------------------------------------------------------------------------------

interface Rig {
  clock: ManualClock;
  history: ReturnType<typeof createHistory>;
  world: { services: string[]; nodes: string[] };
  /** A director says what it has counted, and it is kept. */
  say(
    rows: Partial<Traffic['rows'][number]>[],
    more?: Partial<Traffic> & { director?: string },
  ): Promise<void>;
  stop(): Promise<void>;
}

async function createRig({ start = START } = {}): Promise<Rig> {
  const clock = createManualClock(start);
  const keeper = await openHistoryFile({ file, log });
  const world = { services: ['web'], nodes: ['n1', 'n2', 'node-0'] };
  let added: (() => void) | undefined;
  // Told when the history itself has heard of it, too.
  const tell = () => setImmediate(() => added?.());
  const telling: HistoryKeeper = { ...keeper, add: (rows) => keeper.add(rows).finally(tell) };
  const spec = (roles: string[]) => ({ spec: { roles } });
  const history = createHistory({
    keeper: telling,
    world: {
      virtualServices: () => world.services.map((name) => ({ name })),
      nodes: () => [
        ...world.nodes.map((name) => ({ name, ...spec(['web']) })),
        ...['lb1', 'lb2'].map((name) => ({ name, ...spec(['balancer']) })),
      ],
    },
    held: () => false,
    clock,
    log,
  });
  const stop = history.start();
  return {
    clock,
    history,
    world,
    stop,
    say: async (rows, { director = 'lb1', ...more } = {}) => {
      const kept = new Promise<void>((resolve) => {
        added = resolve;
      });
      history.traffic(director, {
        ...{ session: 's1', source: 'haproxy', uptime: clock.monotonic(), service: 'web' },
        rows: rows.map((row) => ({
          ...{ port: 80, member: null, ...zero, active: 0, inactive: 0 },
          ...row,
        })),
        ...more,
      });
      await clock.advance(500);
      await kept;
    },
  };
}

const point = async (rig: Rig, asked: Parameters<Rig['history']['of']>[1] = {}) => {
  const { series } = await rig.history.of('web', asked);
  return series[0]?.points ?? [];
};

describe('[3.9] the history', () => {
  let rig: Rig;
  afterEach(() => rig.stop());

  it('rolls six hours of samples up into all three rings, and each ring adds up to the same', async () => {
    rig = await createRig();
    const looks = 6 * 360;
    for (let look = 0; look <= looks; look += 1) {
      await rig.say([
        { connections: look * 30, bytesIn: look * 5000, bytesOut: look * 70_000, active: look % 7 },
      ]);
      await rig.clock.advance(9_500);
    }
    const now = rig.clock.now();
    const whole = { from: new Date(START - HOUR).toISOString(), to: new Date(now).toISOString() };
    const sums: Record<string, unknown> = {};
    for (const { step } of rings) {
      const points = await point(rig, { ...whole, step });
      sums[step] = [
        points.length,
        points.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
        Math.max(...points.map(({ peak }) => peak)),
      ];
      expect(points.slice(1, -1).every(({ rates }) => rates.connections === 3)).toBe(true);
    }
    const all = looks * 70_000;
    // The ring of 10 s has come round: of its first two slots the samples are gone, of which one counted nothing.
    expect(sums).toEqual({ '10s': [2159, all - 70_000, 6], '5m': [73, all, 6], '1h': [7, all, 6] });
  }, 180_000);

  it('does not grow once it is full', async () => {
    rig = await createRig();
    const sizeAfter = async (from: number) => {
      const keeper = await openHistoryFile({ file, log });
      await keeper.add(Array.from({ length: 2160 }, (_, look) => rowAt(from + look * 10 * S)));
      await keeper.close();
      return statSync(file).size;
    };
    await rig.stop();
    const full = await sizeAfter(START);
    for (const laps of [1, 500]) expect(await sizeAfter(START + laps * 6 * HOUR)).toBe(full);
    rig = await createRig({ start: START + 501 * 6 * HOUR });
    const from = new Date(START).toISOString();
    expect(await point(rig, { from, step: '10s', member: 'node-0' })).toHaveLength(2159);
  }, 60_000);

  it('is not thrown off by a balancer that began anew', async () => {
    rig = await createRig();
    const totals = [1000, 1100, 1200, 40, 140];
    for (const connections of totals) {
      await rig.say([{ connections }]);
      await rig.clock.advance(9_500);
    }
    expect((await point(rig)).map(({ connections }) => connections)).toEqual([0, 100, 100, 40, 100]);
  });

  it('takes no counter of another balancer, another session or before a long silence for an increase', async () => {
    rig = await createRig();
    await rig.say([{ connections: 10 }]);
    await rig.clock.advance(9_500);
    await rig.say([{ connections: 5e9 }], { source: 'lvs' });
    await rig.clock.advance(9_500);
    await rig.say([{ connections: 6e9 }], { source: 'lvs', session: 's2', uptime: 10 });
    await rig.clock.advance(HOUR / 2);
    await rig.say([{ connections: 7e9 }], { source: 'lvs', session: 's2', uptime: HOUR / 2 });
    expect((await point(rig)).map(({ connections }) => connections)).toEqual([0, 0, 0, 0]);
  });

  it('shows a sample that was lost as a gap, and the rate after it as it was', async () => {
    rig = await createRig();
    await rig.say([{ connections: 0 }]);
    await rig.clock.advance(9_500);
    await rig.say([{ connections: 50 }]);
    await rig.clock.advance(19_500);
    await rig.say([{ connections: 150 }]);
    const points = await point(rig);
    expect(points.map(({ at }) => (Date.parse(at) - START) / S)).toEqual([0, 10, 30]);
    expect(points.map(({ rates }) => rates.connections)).toEqual([0, 5, 5]);
  });

  it('writes over what is of another time when the wall clock has gone back, and doubles no rate', async () => {
    rig = await createRig();
    for (const connections of [0, 50, 100]) {
      await rig.say([{ connections }]);
      await rig.clock.advance(9_500);
    }
    await rig.stop();
    rig = await createRig({ start: START - 6 * HOUR });
    for (const connections of [0, 20, 40]) {
      await rig.say([{ connections }], { session: 's2' });
      await rig.clock.advance(9_500);
    }
    expect((await point(rig)).map(({ rates }) => rates.connections)).toEqual([0, 2, 2]);
  });

  it('adds up ports and directors, each over the time in which it counted', async () => {
    rig = await createRig();
    for (const n of [0, 1, 2]) {
      const both = [80, 443].map((port) => ({ port, member: 'n1', connections: n * 10, active: 3 }));
      await rig.say(both);
      await rig.say([{ member: 'n1', connections: n * 40, active: 1 }], { director: 'lb2' });
      await rig.clock.advance(9_000);
    }
    const points = await point(rig, { member: 'n1' });
    expect(points.map(({ connections, active, peak }) => [connections, active, peak])).toEqual([
      [0, 7, 7],
      [60, 7, 7],
      [60, 7, 7],
    ]);
    expect(points.at(-1)!.rates.connections).toBe(6);
    expect(
      rig.history.live().map(({ director, connections, active }) => [director, connections, active]),
    ).toEqual([
      ['lb1', 40, 6],
      ['lb2', 80, 1],
    ]);
  });

  it('keeps nothing of names that are not declared, nor of who is no director, and forgets what is deleted', async () => {
    rig = await createRig();
    for (const connections of [0, 10]) {
      await rig.say([{ connections }, { member: 'n1', connections }, { member: 'stranger', connections }]);
      rig.history.traffic('n1', {
        ...{ session: 's', source: 'x', uptime: 1, service: 'web' },
        rows: [{ port: 80, member: 'n2', ...zero, active: 1, inactive: 0 }],
      });
      await rig.clock.advance(9_500);
    }
    const members = async () => (await rig.history.of('web', {})).series.map(({ member }) => member);
    expect(await members()).toEqual([null, 'n1']);
    rig.world.nodes = ['n2'];
    rig.history.tidy();
    await until('its rings are gone', async () => (await members()).length === 1);
    expect(rig.history.live().map(({ member }) => member)).toEqual([null]);
    rig.world.services = [];
    rig.history.tidy();
    await expect(rig.history.of('web', {})).rejects.toThrow('there is no VirtualService web');
    rig.world.services = ['web'];
    await until('its rings are gone', async () => (await members()).length === 0);
  });

  it('refuses a question with more points than it should answer, and says what to ask instead', async () => {
    rig = await createRig();
    rig.world.nodes = Array.from({ length: 100 }, (_, index) => `m${index}`);
    await rig.say(rig.world.nodes.map((member) => ({ member })));
    const from = new Date(START - 5 * HOUR).toISOString();
    await expect(rig.history.of('web', { from, step: '10s' })).rejects.toThrow('ask for one `member`');
    expect((await rig.history.of('web', { from, step: '10s', member: 'm7' })).series).toHaveLength(1);
    await expect(rig.history.of('web', { from, to: from })).rejects.toThrow('is not before');
  });

  it('begins anew beside a file that is damaged', async () => {
    await writeFile(file, 'this is no database, whatever it says of itself, and is long enough to be read');
    rig = await createRig();
    await rig.say([{ connections: 1 }]);
    expect(await point(rig)).toHaveLength(1);
    expect(statSync(`${file}.damaged`).size).toBeGreaterThan(0);
  });
});

const rowsAt = (at: number, members: number): Kept[] =>
  rings.flatMap((ring, index) =>
    Array.from({ length: members }, (_, member) => ({
      ...placeOf(ring, at),
      ...{ ring: index, service: 'web', member: `node-${member}`, director: 'lb1', readings: 1, ms: 10_000 },
      ...{
        connections: 120 + member,
        packetsIn: 9_000,
        packetsOut: 9_000,
        bytesIn: 700_000,
        bytesOut: 90_000_000,
      },
      ...{ active: 40, peak: 40 },
    })),
  );
const rowAt = (at: number): Kept => rowsAt(at, 1)[0]!;

describe('[3.9] the size of the history', () => {
  it('is at most 90 bytes a point, and a sample of 1,000 members is written in a fraction of its ten seconds', async () => {
    const keeper = await openHistoryFile({ file, log });
    const looks = 12;
    const begun = performance.now();
    for (let look = 0; look < looks; look += 1) await keeper.add(rowsAt(START + look * 10 * S, 1000));
    const each = (performance.now() - begun) / looks;
    await keeper.close();
    // 12 slots of 10 s, one of 5 min and one of 1 h.
    const points = 1000 * (looks + 2);
    expect(statSync(file).size / points).toBeLessThan(90);
    expect(each).toBeLessThan(5000);
  }, 60_000);
});
