/** Options that mean nothing beside what else was said: refused, for whoever gave them meant something. */
import type { Command } from 'commander';
import { UsageError } from './failure.ts';

/**
 * @param names as commander keeps them; none means every option of the command
 * @throws UsageError naming the first that was given on the command line
 */
export function refuseGiven(command: Command, fix: string, names?: readonly string[]): void {
  const given = command.options.find(
    (option) =>
      (names === undefined || names.includes(option.attributeName())) &&
      command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given !== undefined) throw new UsageError(`${given.long} means nothing here`, fix);
}
