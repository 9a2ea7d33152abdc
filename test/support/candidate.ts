/** A member of a pool for the deciders: all speaks for it, but for what a test says. */
import type { Candidate } from '../../common/health/membership.ts';

export const well = (node: string, more: Partial<Candidate> = {}): Candidate => ({
  node,
  weight: 100,
  operator: 'none',
  probe: 'up',
  opinion: 'up',
  fresh: true,
  connections: null,
  ...more,
});
