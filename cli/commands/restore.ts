/** `evenkeel restore`: on the manager's own box, with the manager stopped: puts a backup in place of its data. */
import type { Command } from 'commander';
import { runManager } from '../manager-program.ts';

interface RestoreOptions {
  data: string;
  passphraseFile: string;
}

export function addRestore(program: Command): void {
  program
    .command('restore')
    .description("put a backup in place of a stopped manager's data, on its own box")
    .argument('<file>', 'what `evenkeel backup` wrote')
    .requiredOption('--data <folder>', 'where the manager keeps everything')
    .requiredOption('--passphrase-file <file>', 'holds the passphrase')
    .addHelpText('after', HELP)
    .action((file: string, { data, passphraseFile }: RestoreOptions) =>
      runManager('restore', [file, '--data', data, '--passphrase-file', passphraseFile]),
    );
}

const HELP = `
The manager starts held afterwards, in a new epoch: it changes nothing on any node until you have looked at
\`evenkeel state\` and said \`evenkeel resume\`. What was there before is kept beside it.
`;
