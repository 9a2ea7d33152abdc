/** How the tests run: two processes at a time, with deadlines that fit real daemons on a small machine; whole sandboxes one by one. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Set inside the lab's namespaces alone: the suite that runs there (test/lab/run-suites.ts). Nowhere else are there any. */
const suite = process.env.EVENKEEL_LAB;

/** `.ci/run` counts from the files in this folder; the command it runs stays the plain `npm test`. */
const reports = process.env.EVENKEEL_TEST_REPORTS;
const report = reports && join(reports, suite ? `lab-${suite}.json` : 'rooms.json');

const common = { pool: 'forks', testTimeout: 30_000, hookTimeout: 60_000 } as const;

/** They start whole clusters and put load on them, so each of them has the machine to itself. */
const whole = ['test/e2e/**/*.test.ts', 'test/fuzz/**/*.test.ts'];
const boxes = ['test/lab/suites/**/*.test.ts'];

const lab = {
  test: { ...common, name: 'lab', include: boxes, maxWorkers: 1, testTimeout: 120_000, hookTimeout: 240_000 },
};

const rooms = {
  test: {
    ...common,
    name: 'rooms',
    include: ['test/**/*.test.ts'],
    exclude: [...whole, ...boxes],
    sequence: { groupOrder: 0 },
  },
};

const sandboxes = {
  test: { ...common, name: 'whole', include: whole, maxWorkers: 1, sequence: { groupOrder: 1 } },
};

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: suite ? [lab] : [rooms, sandboxes],
  },
});
