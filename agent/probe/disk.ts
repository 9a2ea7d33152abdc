/** The disk check: the file system of a path has room left, in bytes and in inodes. */
import { sizeText } from '../../common/units.ts';
import { type CheckResult, failed, passed } from './result.ts';
import { createLook } from './statfs.ts';

export interface DiskTarget {
  path: string;
  /** At least so much is left for those who are not root; 0 asks for nothing. */
  freeBytes: number;
  freePercent: number;
  freeInodesPercent: number;
}
export type DiskCheck = (target: DiskTarget, signal: AbortSignal) => Promise<CheckResult>;

/** Size of a block; blocks in all, free, and free for those who are not root; inodes in all, and free. */
const FORMAT = '%S %b %f %a %c %d';

/** @param stat the command that prints those six of the path, which is added to it */
export function createDiskCheck(
  stat: readonly string[] = ['stat', '--file-system', `--format=${FORMAT}`, '--'],
): DiskCheck {
  const look = createLook(stat);
  return async ({ path, freeBytes, freePercent, freeInodesPercent }, signal) => {
    const { status, output, stdout } = await look(path, signal);
    const numbers = stdout.trim().split(' ').map(Number);
    if (status !== 0 || numbers.length !== 6 || numbers.some(Number.isNaN)) return failed(output);
    const [block = 0, total = 0, free = 0, left = 0, inodes = 0, inodesLeft = 0] = numbers;
    const bytes = left * block;
    // As df counts: what is kept for root is neither used nor free.
    const share = percent(left, total - free + left);
    // Some file systems make inodes as they need them, and say that they have none.
    const inodeShare = inodes === 0 ? 100 : percent(inodesLeft, inodes);
    const found = `${path} has ${sizeText(bytes)} (${Math.floor(share)} %) and ${Math.floor(inodeShare)} % of its inodes free`;
    const wanted = [
      ...(bytes < freeBytes ? [sizeText(freeBytes)] : []),
      ...(share < freePercent ? [`${freePercent} %`] : []),
      ...(inodeShare < freeInodesPercent ? [`${freeInodesPercent} % of the inodes`] : []),
    ];
    return wanted.length === 0 ? passed(found) : failed(`${found}, wanted ${wanted.join(' and ')}`);
  };
}

const percent = (part: number, whole: number): number => (whole <= 0 ? 0 : (part / whole) * 100);
