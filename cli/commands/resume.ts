/** `evenkeel resume`: lets a held manager go on. */
import type { Command } from 'commander';
import { sessionOf } from '../session.ts';
import { stateText } from './state.ts';

export function addResume(program: Command): void {
  program
    .command('resume')
    .description('let a held manager write and publish again')
    .option('--allow-shrink', 'nodes may drop more than a fifth of a kind to match this store', false)
    .addHelpText('after', HELP)
    .action(async ({ allowShrink }: { allowShrink: boolean }, command: Command) => {
      const session = sessionOf(command);
      const state = await session.client.call('resume', { body: { allowShrink } });
      session.print(state, () => stateText(state, session));
    });
}

const HELP = `
Look first: \`evenkeel state\` says why it is held, and what nodes have that the store has not. What they have more of
is lost when you resume; without --allow-shrink they refuse to drop more than a fifth of a kind.
`;
