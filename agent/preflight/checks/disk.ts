/** The check disk: whether there is room for trees, state and logs. */
import { fail, pass, skip, warn } from '../../../common/findings.ts';
import type { Check } from '../asked.ts';

const MIB = 1024 * 1024;
const LEAST = 256 * MIB;
const GOOD = 1024 * MIB;
/** The program and its trees have some thousand files. */
const LEAST_INODES = 10_000;

const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;

export const disk: Check = async ({ box, paths }) => {
  const folders = [paths.state, paths.log];
  const spaces = await Promise.all(folders.map((folder) => box.space(folder)));
  const seen = spaces.flatMap((space, index) => (space ? [{ ...space, folder: folders[index] }] : []));
  const [tightest] = seen.sort((a, b) => a.free - b.free);
  if (!tightest) return skip('disk', `nothing can be said of ${folders.join(' and ')}`);
  const found = `${mib(tightest.free)} free for ${tightest.folder}`;
  const starved = seen.find(({ inodes, freeInodes }) => inodes > 0 && freeInodes < LEAST_INODES);
  const help = {
    fix: 'make room, or mount a larger file system there',
    command: `df -h ${folders.join(' ')}`,
  };
  if (tightest.free < LEAST) return fail('disk', found, { why: 'a change could not be written', ...help });
  if (starved)
    return fail('disk', `${starved.freeInodes} inodes left for ${starved.folder}`, {
      ...{ why: 'no more files can be made', fix: help.fix },
      command: `df -i ${folders.join(' ')}`,
    });
  if (tightest.free < GOOD) return warn('disk', found, { why: 'logs and new trees soon fill it', ...help });
  return pass('disk', found);
};
