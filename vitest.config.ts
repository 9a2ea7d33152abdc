/** How the tests run: two processes at a time, with deadlines that fit real daemons on a small machine; whole sandboxes one by one. */
import { defineConfig } from 'vitest/config';

/** `.ci/run` counts from this file; the command it runs stays the plain `npm test`. */
const report = process.env.EVENKEEL_TEST_REPORT;

const common = { pool: 'forks', testTimeout: 30_000, hookTimeout: 60_000 } as const;

/** They start whole clusters and put load on them, so each of them has the machine to itself. */
const whole = ['test/e2e/**/*.test.ts', 'test/fuzz/**/*.test.ts'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [
      {
        test: {
          ...common,
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: whole,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'whole',
          include: whole,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
