/** Parameters of an action as a command line gives them. */
import { readFileSync } from 'node:fs';
import { messageOf } from '../protocol/errors.ts';
import { UsageError } from './failure.ts';

const EXAMPLE = 'such as packages=htop,strace; several nodes have commas between: --on n1,n2';

/** @throws UsageError for what is no name=value, and for a name that is given twice */
export function parametersIn(given: readonly string[], example = EXAMPLE): Record<string, string> {
  const pairs = given.map((text) => {
    const at = text.indexOf('=');
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)] as const;
    throw new UsageError(`${text} is no name=value`, example);
  });
  const names = pairs.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new UsageError(`${twice} is given twice`, 'give it once; a list has commas between its values');
  return Object.fromEntries(pairs);
}

/** Without the end of line that an editor leaves. @throws UsageError for what cannot be read, or is given twice */
export function filesIn(files: readonly string[], given: readonly string[]): Record<string, string> {
  const paths = parametersIn(files, 'such as password=/root/secret');
  parametersIn([...given, ...files]);
  const read = (path: string): string => {
    try {
      return readFileSync(path === '-' ? 0 : path, 'utf8').replace(/\r?\n$/, '');
    } catch (err) {
      throw new UsageError(
        `${path} cannot be read: ${messageOf(err)}`,
        'name a file, or - for standard input',
      );
    }
  };
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, read(path)]));
}
