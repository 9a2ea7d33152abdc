/** `evenkeel tokens`: who may call the API, and as what. */
import { type Command, Option } from 'commander';
import { type AccessRole, roles } from '../../protocol/views.ts';
import { sessionOf } from '../session.ts';
import { clockTime } from '../time.ts';

export function addTokens(program: Command): void {
  const tokens = program.command('tokens').description('API tokens: create, list, revoke');
  addCreate(tokens);
  addList(tokens);
  addRevoke(tokens);
}

function addCreate(tokens: Command): void {
  tokens
    .command('create')
    .description('make one; it is shown this once')
    .argument('<name>', 'who uses it: this is how the journal names its changes')
    .addOption(
      new Option('--role <role>', 'viewer reads; operator declares sites and drains; admin does everything')
        .choices([...roles])
        .makeOptionMandatory(),
    )
    .addHelpText('after', '\nExample:\n  evenkeel tokens create ci --role operator\n')
    .action(async (name: string, { role }: { role: AccessRole }, command: Command) => {
      const session = sessionOf(command);
      const answer = await session.client.call('tokens', { body: { name, role } });
      session.print(answer, () => answer.token);
    });
}

function addList(tokens: Command): void {
  tokens
    .command('list')
    .description('every token, without its secret')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const { items } = await session.client.call('tokenList');
      session.print(items, () =>
        session.table(
          ['NAME', 'ROLE', 'CREATED'],
          items.map(({ name, role, created }) => [name, role, clockTime(created)]),
        ),
      );
    });
}

function addRevoke(tokens: Command): void {
  tokens
    .command('revoke')
    .description('it opens nothing any more, at once')
    .argument('<name>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const answer = await session.client.call('tokenDelete', { params: { name } });
      session.print(answer, () => `token ${name} revoked`);
    });
}
