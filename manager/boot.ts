/** The boot counter: each start of a manager has a number of its own, higher than all before. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../common/files.ts';
import { EvenkeelError } from '../protocol/errors.ts';

/**
 * Takes the next number and keeps it before it is used.
 * @param data the manager's data folder
 */
export async function nextBoot(data: string): Promise<number> {
  const file = join(data, 'boot');
  const text = await readFile(file, 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return '0';
    throw err;
  });
  const last = Number(text);
  if (!Number.isSafeInteger(last))
    throw new EvenkeelError('store-damaged', `${file} does not hold a number: ${text.slice(0, 40)}`);
  await writeFileAtomic(file, `${last + 1}\n`, { mode: 0o600 });
  return last + 1;
}
