/** Announce: the checks that go with a tree are run from the moment it is served. */
import type { Pass } from './pass.ts';
import type { Wanted } from './render.ts';

export function announce({ unit, tools }: Pass, wanted: Wanted): void {
  if (unit.serving === wanted.manifest.digest) return;
  unit.serving = wanted.manifest.digest;
  tools.hooks.serving(unit.name, wanted.checks);
}
