/** Where something is mounted on this box just now. */
import { dirname } from 'node:path';
import { MOUNTS, type Mounted, mountsIn } from '../../common/mounts.ts';
import type { Look } from './thing.ts';

/** In the order in which they were mounted. */
export const mountsNow = (look: Look): Mounted[] =>
  look.once('mounts', () => mountsIn(look.read(MOUNTS) ?? ''));

/** By place: what is seen there. */
const seenAt = (look: Look): ReadonlyMap<string, Mounted> =>
  look.once('mounts by place', () => new Map(mountsNow(look).map((mounted) => [mounted.point, mounted])));

export const mountAt = (point: string, look: Look): Mounted | undefined => seenAt(look).get(point);

/** The file system that a path is on. */
export function mountOver(path: string, look: Look): Mounted | undefined {
  const seen = seenAt(look);
  let place = path;
  while (!seen.has(place) && place !== dirname(place)) place = dirname(place);
  return seen.get(place);
}
