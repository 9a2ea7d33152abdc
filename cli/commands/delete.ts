/** `evenkeel delete`: takes one resource out of what is declared. */
import type { Command } from 'commander';
import { kindOf } from '../kinds.ts';
import { sessionOf } from '../session.ts';

interface DeleteOptions {
  force: boolean;
  ifRevision?: string;
}

export function addDelete(program: Command): void {
  program
    .command('delete')
    .description('delete one resource')
    .argument('<kind>', 'such as Site')
    .argument('<name>')
    .option('--force', 'also where it takes data or services off the air', false)
    .option('--if-revision <revision>', 'only when this is still its revision')
    .addHelpText('after', '\nExample:\n  evenkeel delete site example.org\n')
    .action(
      async (kindText: string, name: string, { force, ifRevision }: DeleteOptions, command: Command) => {
        const session = sessionOf(command);
        const kind = kindOf(kindText);
        const { answer, warnings } = await session.client.callWarned('delete', {
          params: { kind, name },
          query: { force },
          headers: ifRevision === undefined ? {} : { 'if-match': ifRevision },
        });
        for (const warning of warnings) session.warn(warning);
        session.print(answer, () => `${kind}/${name} deleted; revision ${answer.revision}`);
      },
    );
}
