/** What the benchmarks promise their reader: honest ratios, the same data every time, and options judged at the door. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBench } from '../../../bench/bench.ts';
import { median, percentile, shown } from '../../../bench/figures.ts';
import { statFloor } from '../../../bench/floors/stat.ts';
import { transactionFloor } from '../../../bench/floors/transactions.ts';
import { filesystemOf } from '../../../bench/machine.ts';
import { optionsFrom } from '../../../bench/options.ts';
import { judged } from '../../../bench/row.ts';
import { siteOf, sitesUpTo } from '../../../bench/sites.ts';
import { tableOf } from '../../../bench/table.ts';
import { systemClock } from '../../../common/clock.ts';

const folder = async (use: (path: string) => Promise<void>) => {
  const path = await mkdtemp(join(tmpdir(), 'evenkeel-bench-'));
  await use(path).finally(() => rm(path, { recursive: true }));
};

describe('a row', () => {
  const measured = { row: 'sweep', value: 30, unit: 'ms', floor: 10, floorName: 'C' };

  it('is judged by its ratio to the floor of the same run', () => {
    expect(judged({ ...measured, budget: 4 })).toMatchObject({ ratio: 3, within: true });
    expect(judged({ ...measured, budget: 2 })).toMatchObject({ ratio: 3, within: false });
  });

  it('is judged by its value where the budget says so, and from below where more is better', () => {
    expect(judged({ ...measured, budget: 29, budgetOf: 'value' }).within).toBe(false);
    expect(judged({ ...measured, budget: 2, better: 'higher' }).within).toBe(true);
  });

  it('is said as soon as it is measured, so that a run that breaks later has not been in vain', () => {
    const said: string[] = [];
    const options = optionsFrom(['sync']);
    const bench = createBench(options, {
      root: 'unused',
      clock: systemClock,
      print: (line) => said.push(line),
    });
    bench.add({ ...measured, budget: 2 });
    expect(said).toEqual(['sweep | 30.0 ms | 10.0 ms (C) | 3.00x | at most 2.00x | OVER']);
  });

  it('has no judgement without a budget, and no ratio without a floor', () => {
    expect(judged(measured).within).toBeNull();
    expect(judged({ row: 'idle', value: 1, unit: '%', budget: 2 })).toMatchObject({
      ratio: null,
      within: null,
    });
  });

  it('stands in the table with its floor, its ratio, its budget and whether it keeps it', () => {
    const table = tableOf([judged({ ...measured, size: 10_000, budget: 2 })]);
    for (const words of ['10,000', '30.0 ms', '10.0 ms (C)', '3.00x', 'at most 2.00x', 'OVER'])
      expect(table).toContain(words);
  });
});

describe('figures', () => {
  it('are medians and percentiles of what was measured, whatever its order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(
      percentile(
        Array.from({ length: 100 }, (_, at) => 100 - at),
        0.99,
      ),
    ).toBe(99);
    expect(() => percentile([], 0.5)).toThrow('no values');
  });

  it('show three digits', () => {
    expect([0.01234, 1.234, 123.4, 12_340].map(shown)).toEqual(['0.0123', '1.23', '123', '12340']);
  });
});

describe('the sites', () => {
  it('are the same in every run, all different, and differ in one more alias after a change', () => {
    expect(sitesUpTo(50)).toEqual(sitesUpTo(50));
    expect(new Set(sitesUpTo(50).flatMap(({ name, spec }) => [name, ...spec.aliases])).size).toBe(150);
    expect(siteOf(7, 2).spec.aliases).toEqual([...siteOf(7).spec.aliases, 'turn2.site00007.example.test']);
  });
});

describe('options', () => {
  it('have defaults, and sizes in rising order', () => {
    expect(optionsFrom(['converge'])).toMatchObject({
      json: false,
      sizes: [100, 1000, 10_000, 100_000],
      runs: 3,
    });
    expect(optionsFrom(['sync', '--json', '--agents', '50,10'])).toMatchObject({
      json: true,
      agents: [10, 50],
    });
  });

  it('are refused when they are unknown or beyond the bounds', () => {
    for (const args of [
      [],
      ['fly'],
      ['sync', '--agents', '5000'],
      ['converge', '--sizes', 'many'],
      ['sync', 'load'],
    ])
      expect(() => optionsFrom(args)).toThrow();
    expect(() => optionsFrom(['sync', '--fast'])).toThrow();
  });
});

describe('floors', () => {
  it('stat every file of the list as often as asked, and fail when one is missing', () =>
    folder(async (path) => {
      const files = ['a', 'b'].map((name) => join(path, name));
      for (const file of files) await writeFile(file, '');
      expect(await statFloor(path, files, 3)).toHaveLength(3);
      await expect(statFloor(path, [join(path, 'missing')], 1)).rejects.toThrow();
    }));

  it('count transactions that really are in the database', () =>
    folder(async (path) => {
      expect(await transactionFloor(path, ['a', 'b', 'c'])).toBeGreaterThan(0);
    }));

  it('know the filesystem of a folder by the longest mount that leads to it', () => {
    const mounts = 'a / ext4 rw\nb /var/tmp tmpfs rw\nc /var/tmpfiles xfs rw\n';
    expect(filesystemOf('/var/tmp/x', mounts)).toBe('tmpfs');
    expect(filesystemOf('/var/tmpx', mounts)).toBe('ext4');
  });
});
