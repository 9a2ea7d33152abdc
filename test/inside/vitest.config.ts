/** How tests run that change the kernel: in a network of their own, one after the other; see run.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: join(import.meta.dirname, '..', '..'),
  test: {
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    include: ['test/inside/**/*.inside.ts'],
  },
});
