/** That this box has left its cluster: kept on its disk, so that a leave that was cut off is gone on with. */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Compile } from 'typebox/compile';
import { syncFolder, writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { Left } from '../../protocol/local.ts';

const validator = Compile(Left);
const fileIn = (state: string) => join(state, 'left.json');
const certificateIn = (state: string) => join(state, 'identity', 'cert.pem');

/** Whether this box is a member of a cluster: of one that it has joined since it left, too. */
export const isMember = (state: string): boolean => existsSync(certificateIn(state));

/** Null for a box that has not left. @throws EvenkeelError invalid-document when what it wrote cannot be understood */
export async function readLeft(state: string): Promise<Left | null> {
  const file = fileIn(state);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw err;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (validator.Check(value)) return value;
  } catch (cause) {
    throw new EvenkeelError('invalid-document', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  throw new EvenkeelError('invalid-document', `${file} is not as it should be`);
}

/** Durable when it resolves. */
export const writeLeft = (state: string, left: Left): Promise<void> =>
  writeFileAtomic(fileIn(state), `${JSON.stringify(left, null, 2)}\n`, { mode: 0o600 });

/** Where the identity of the cluster that is left lies for a moment. */
export const FORMER = 'identity.left';

/** Nothing of the cluster that was left is kept: no key, and nothing that was declared there. */
export async function forgetFormer(state: string): Promise<void> {
  await rm(join(state, FORMER), { recursive: true, force: true });
  if (isMember(state)) return;
  for (const name of ['desired.log', 'desired.snapshot']) await rm(join(state, name), { force: true });
}

/** The box has joined a cluster since, which tells it anew what it is to be. */
export async function forgetLeft(state: string): Promise<void> {
  for (const name of [FORMER, 'desired.log', 'desired.snapshot'])
    await rm(join(state, name), { recursive: true, force: true });
  await rm(fileIn(state), { force: true });
  await syncFolder(dirname(fileIn(state)));
}
