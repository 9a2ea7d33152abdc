/** Folders that a policy declares: made, with mode and owner, before a checker or a daemon needs them. */
import { chmod, chown, mkdir, readFile, stat } from 'node:fs/promises';
import type { ResolvedDirectory } from '../../common/render/resolved.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';

/** @throws EvenkeelError write-failed */
export async function makeDirectory({ path, mode, owner }: ResolvedDirectory): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    const is = await stat(path);
    if ((is.mode & 0o7777) !== mode) await chmod(path, mode);
    if (owner === undefined) return;
    const [uid, gid] = await idsOf(owner);
    if (is.uid !== uid || is.gid !== gid) await chown(path, uid, gid);
  } catch (cause) {
    throw new EvenkeelError('write-failed', `folder ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** `user` or `user:group`; a user's own group is the default. */
async function idsOf(owner: string): Promise<[uid: number, gid: number]> {
  const [user = '', group] = owner.split(':');
  const [, , uid, ownGid] = await lineOf('/etc/passwd', user);
  const gid = group === undefined ? ownGid : (await lineOf('/etc/group', group))[2];
  return [Number(uid), Number(gid)];
}

async function lineOf(file: string, name: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.split(':'));
  const found = lines.find(([first]) => first === name);
  if (!found) throw new Error(`there is no ${name} in ${file}`);
  return found;
}
