/** Holding back: which changed resources a unit goes on without, and when so many fail that it is held whole. */
import { keyOf } from '../../protocol/resource.ts';
import type { Hold, Versions } from '../state/memory.ts';
import type { Pass } from './pass.ts';
import type { Suspects } from './render.ts';
import type { Said } from './said.ts';

/** The versions that take the place of what this pass holds back. */
export function versionsHeld({ holding, unit, tools }: Pass): Versions {
  const memory = tools.desired.unit(unit.name);
  return new Map(
    [...holding].map(([key, { serving }]) => [key, serving === 'nothing' ? null : memory.good(key)]),
  );
}

/**
 * Holds a resource back for the rest of this pass: at its last good version, or not at all where it has none or where
 * that is the version that fails now. A version that came since it was tried is not meant, and the next pass tries it.
 */
export function holdBack({ holding, unit, tools }: Pass, key: string, said: Said, tried: Versions): void {
  const memory = tools.desired.unit(unit.name);
  const now = tried.has(key) ? (tried.get(key)?.digest ?? null) : tools.desired.digest(key);
  const good = memory.good(key)?.digest ?? null;
  const failedAlready = holding.has(key) || memory.held().some((held) => keyOf(held) === key);
  const serving = good === null || good === now || failedAlready ? 'nothing' : 'last-good';
  holding.set(key, { digest: now, serving, ...said });
}

/** Holds all that was tried at its last good version. */
export const holdAll = (tried: Versions, keys: readonly string[], reason: string): Map<string, Hold> =>
  new Map(
    keys.map((key) => {
      const digest = tried.get(key)?.digest ?? null;
      return [key, { digest, serving: 'last-good', reason, harmful: true }];
    }),
  );

const FEW = 5;
const LARGEST_PART = 1 / 5;

/** Among so many that changed, so many may fail and the mistake is still theirs: two sites that share a bad certificate are. */
export const mostToBlame = (of: number): number => Math.max(FEW, Math.floor(of * LARGEST_PART));

/**
 * Whether so many fail that the mistake is more likely elsewhere: more than a few, and more than a fifth of what changed;
 * of resources that did not change, more than a fifth of all.
 */
export function isTooMany(held: readonly string[], { items, shared }: Suspects, all: number): boolean {
  const changed = new Set([...items, ...shared]);
  const fresh = held.filter((key) => changed.has(key)).length;
  return fresh > mostToBlame(changed.size) || held.length - fresh > mostToBlame(all);
}
