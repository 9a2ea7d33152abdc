/** Words of `evenkeel node` that people say without it: the error names the command that they mean. */
import type { Command } from 'commander';
import { UsageError } from '../failure.ts';

/** Every subcommand of `node` that is no command of its own; none of them is shown in the help. */
export function addMisplaced(program: Command): void {
  const taken = program.commands.map((command) => command.name());
  const words = program.commands.find((command) => command.name() === 'node')?.commands ?? [];
  for (const word of words.map((command) => command.name()).filter((name) => !taken.includes(name)))
    program
      .command(word, { hidden: true })
      .argument('[rest...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(([name = 'NAME']: string[]) => {
        throw new UsageError(
          `there is no command ${word}`,
          `it is a word of node: evenkeel node ${word} ${name}`,
        );
      });
}
