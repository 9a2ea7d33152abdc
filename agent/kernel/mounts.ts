/** Where something is mounted on this box just now. */
import { MOUNTS, type Mounted, mountsIn } from '../../common/mounts.ts';
import type { Look } from './thing.ts';

/** In the order in which they were mounted. */
export const mountsNow = (look: Look): Mounted[] => mountsIn(look.read(MOUNTS) ?? '');

export const mountAt = (point: string, look: Look): Mounted | undefined =>
  mountsNow(look).findLast((mounted) => mounted.point === point);

/** The file system that a path is on. */
export function mountOver(path: string, look: Look): Mounted | undefined {
  const over = mountsNow(look).filter(({ point }) => point === '/' || `${path}/`.startsWith(`${point}/`));
  const longest = Math.max(...over.map(({ point }) => point.length));
  return over.findLast(({ point }) => point.length === longest);
}
