/** Directories: which of many paths are none. A dead file server can hang the child that looks, never the agent. */
import { runChild } from './child.ts';

/** Those that do not exist or are something else; null where that cannot be told now. */
export type MissingDirectories = (paths: readonly string[]) => Promise<string[] | null>;

/** An argument list may be two million bytes. */
const AT_ONCE = 1000;
const PATIENCE_MS = 10_000;
const MOST_OUTPUT = 4 * 1024 * 1024;

/** @param find the command that prints those that there are, each ended by a zero byte; the paths come after its first part */
export function createMissingDirectories(
  [find = '', ...tests]: readonly string[] = ['find', '-maxdepth', '0', '-type', 'd', '-print0'],
): MissingDirectories {
  /** A child that not even SIGKILL has ended: no second one is sent after it. */
  let hangs = false;
  const existing = async (paths: readonly string[]): Promise<string[]> => {
    const { ended, gone } = runChild(
      [find, '-L', ...paths, ...tests],
      AbortSignal.timeout(PATIENCE_MS),
      MOST_OUTPUT,
    );
    hangs = true;
    void gone.then(() => {
      hangs = false;
    });
    const { status, stdout } = await ended;
    if (status === null) throw new Error('a signal ended the look');
    return stdout.split('\0');
  };
  return async (paths) => {
    if (hangs) return null;
    const found = new Set<string>();
    try {
      for (let at = 0; at < paths.length; at += AT_ONCE)
        for (const path of await existing(paths.slice(at, at + AT_ONCE))) found.add(path);
    } catch {
      return null; // too slow, cut off, or there is no such command: then nothing is said
    }
    return paths.filter((path) => !found.has(path));
  };
}
