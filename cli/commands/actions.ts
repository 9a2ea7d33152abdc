/** `evenkeel actions`: what can be done on nodes. */
import type { Command } from 'commander';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import { valuesText } from '../queue-look.ts';
import { type Session, sessionOf } from '../session.ts';

export function addActions(program: Command): void {
  program
    .command('actions')
    .description('what can be done on nodes; one action with its parameters')
    .argument('[name]')
    .action(async (name: string | undefined, _: object, command: Command) => {
      const session = sessionOf(command);
      if (name !== undefined) return actionPage(name, session);
      const { items } = await session.client.call('list', {
        params: { kind: 'Action' },
        query: { limit: 1000 },
      });
      session.print(items, () =>
        items.length === 0
          ? 'there is no action: evenkeel-manager content | evenkeel apply -f - brings those that ship'
          : session.table(
              ['ACTION', 'PARAMETERS', 'FOR', 'WHAT IT DOES'],
              items.map((item) => {
                const { parameters, roles, description } = item.spec as ActionSpec;
                return [
                  item.name,
                  Object.keys(parameters).join(' '),
                  roles.join(', ') || 'every node',
                  description,
                ];
              }),
            ),
      );
    });
}

async function actionPage(name: string, session: Session): Promise<void> {
  const found = await session.client.call('get', { params: { kind: 'Action', name } });
  const { description, parameters, idempotent, access, timeout, roles, diagnose, undo } =
    found.spec as ActionSpec;
  session.print(found, () =>
    [
      `${session.paint('bold', name)}  ${description}`,
      `  for          ${roles.join(', ') || 'every node'}; by ${access}s; ended after ${timeout}`,
      `  after a failure ${idempotent ? 'it is tried again by itself' : 'it waits for a person'}`,
      ...(diagnose.length === 0 ? [] : [`  diagnose     ${diagnose.join(', ')}`]),
      ...(undo === undefined ? [] : [`  undone by    ${undo.action}: evenkeel runs RUN --undo`]),
      ...Object.entries(parameters).map(([field, one]) => {
        const given =
          one.default === undefined ? 'must be given' : `else ${valuesText({ [field]: one.default })}`;
        const isSecret = one.type === 'text' && one.secret;
        const kind = isSecret ? `secret, --from-file ${field}=PATH` : one.type;
        return `  ${field}  ${kind}; ${given}  ${one.description}`;
      }),
    ].join('\n'),
  );
}
