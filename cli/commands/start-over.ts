/** `evenkeel start-over`: on the manager's own box, with the manager stopped: an empty store where the old one is lost. */
import type { Command } from 'commander';
import { runManager } from '../manager-program.ts';

interface StartOverOptions {
  data: string;
  content: string;
  balancer: string;
}

export function addStartOver(program: Command): void {
  program
    .command('start-over')
    .description('without a backup: an empty store under the same keys, on the box of the stopped manager')
    .requiredOption('--data <folder>', 'where the manager keeps everything')
    .requiredOption('--content <folder>', 'where the shipped policies/ and templates/ are')
    .option('--balancer <driver>', 'the driver of the balancer role', 'lvs')
    .addHelpText('after', HELP)
    .action(({ data, content, balancer }: StartOverOptions) =>
      runManager('start-over', ['--data', data, '--content', content, '--balancer', balancer]),
    );
}

const HELP = `
It prints a new admin token, once. What was declared is gone: apply it again, then invite each node again. What is left
of the old store is kept beside it. With a backup, use \`evenkeel restore\` instead.
`;
