/** What policies may run: names and the absolute paths that root has put on the box's own list. */
import { EvenkeelError } from '../../protocol/errors.ts';

export interface Executables {
  /** Whether a command's first word may be run. */
  allows(name: string): boolean;
  /** The command with its absolute path. @throws EvenkeelError executable-refused */
  resolve(command: readonly string[]): [path: string, ...args: string[]];
}

/** @param list name → absolute path; a command may give either */
export function createExecutables(list: Readonly<Record<string, string>>): Executables {
  const byName = new Map(Object.entries(list));
  const paths = new Set(byName.values());
  const pathOf = (name: string) => byName.get(name) ?? (paths.has(name) ? name : undefined);
  return {
    allows: (name) => pathOf(name) !== undefined,
    resolve: ([name = '', ...args]) => {
      const path = pathOf(name);
      if (path !== undefined) return [path, ...args];
      throw new EvenkeelError(
        'executable-refused',
        `${name} is not on the list of executables of this box: not in its agent.json, withheld there, or not installed`,
      );
    },
  };
}
