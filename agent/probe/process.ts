/** The process check: the process of a pid file is there, and is no zombie. */
import { readFile } from 'node:fs/promises';
import { type CheckResult, failed, passed } from './result.ts';

/** A pid file holds the pid, and perhaps the start time after it, which proves that the pid was not given to another. */
export async function checkProcess(
  { pidFile }: { pidFile: string },
  signal: AbortSignal,
): Promise<CheckResult> {
  const text = await read(pidFile, signal);
  if (text === null) return failed(`there is no ${pidFile}`);
  const [pid = '', started] = text.trim().split(/\s+/);
  if (!/^[1-9][0-9]{0,9}$/.test(pid)) return failed(`${pidFile} holds no pid`);
  const stat = await read(`/proc/${pid}/stat`, signal);
  if (stat === null) return failed(`process ${pid} of ${pidFile} is gone`);
  // The name stands in parentheses and may hold anything; what follows its end is regular.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return failed(`process ${pid} has ended`);
  if (started !== undefined && fields[19] !== started)
    return failed(`process ${pid} is another one than that of ${pidFile}`);
  return passed(`process ${pid} runs`);
}

async function read(path: string, signal: AbortSignal): Promise<string | null> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw err;
  }
}
