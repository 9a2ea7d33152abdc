/** `evenkeel restore`: on the manager's own box, with the manager stopped: puts a backup in place of its data. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { Ended, UsageError } from '../failure.ts';

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
    .action(async (file: string, { data, passphraseFile }: RestoreOptions) => {
      const bundle = join(dirname(process.argv[1] ?? '.'), 'manager.js');
      if (!existsSync(bundle))
        throw new UsageError(`there is no ${bundle}`, 'restore runs where the manager is installed');
      const code = await run([bundle, 'restore', file, '--data', data, '--passphrase-file', passphraseFile]);
      if (code !== 0) throw new Ended('refused');
    });
}

const HELP = `
The manager starts held afterwards, in a new epoch: it changes nothing on any node until you have looked at
\`evenkeel state\` and said \`evenkeel resume\`. What was there before is kept beside it.
`;

/** The manager's own program does it, and says what it did. */
const run = (args: string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
