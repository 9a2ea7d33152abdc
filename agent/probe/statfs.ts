/** A look at the file system of a path, in a child: a dead file server can hang the child, never the agent. */
import { type ChildEnd, runChild } from './child.ts';

/** @throws when an earlier look at the path still hangs */
export type LookAt = (path: string, signal: AbortSignal) => Promise<ChildEnd>;

/** @param stat the command that looks, to which the path is added */
export function createLook(stat: readonly string[], run = runChild): LookAt {
  /** Paths with a child that not even SIGKILL has ended: no second one is sent after it. */
  const hanging = new Set<string>();
  return async (path, signal) => {
    if (hanging.has(path)) throw new Error(`a stat of ${path} still hangs`);
    const { ended, gone } = run([...stat, path], signal);
    hanging.add(path);
    void gone.then(() => hanging.delete(path));
    return ended;
  };
}
