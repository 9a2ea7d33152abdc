/** `evenkeel plan`: what the node itself says an apply would change on it now; touches nothing. */
import type { Command } from 'commander';
import type { AnswerOf } from '../../protocol/endpoints.ts';
import { fileDiffs } from '../diffs.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';

export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('what would change on a node now, as the node itself says')
    .argument('<node>')
    .addHelpText(
      'after',
      '\nIt compares with the disk of the node, so it shows drift as well. Nothing is touched.\n',
    )
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const plan = await withProgress(`asking ${name}`, () =>
        session.client.call('plan', { params: { name } }),
      );
      const { alarms } = await session.client.call('node', { params: { name } });
      session.print({ ...plan, alarms }, () =>
        [
          planText(plan, session),
          ...alarms.map(({ code, message }) => session.paint('warn', `${code}: ${message}`)),
        ].join('\n'),
      );
    });
}

export const planText = ({ node, units }: AnswerOf<'plan'>, { paint }: Session): string =>
  units.length === 0
    ? `${node} has no units: no policy is for its roles`
    : units
        .map(({ unit, result, error, drift, held, diffs }) =>
          [
            `${paint('bold', unit)}  ${paint(result === 'unchanged' ? 'good' : 'warn', result)}${drift ? ', the disk has drifted' : ''}`,
            ...(error ? [paint('bad', `${error.code}: ${error.message}`)] : []),
            ...held.map(({ kind, name, reason }) => `holds back ${kind}/${name}: ${reason}`),
            ...fileDiffs(diffs, paint),
          ].join('\n'),
        )
        .join('\n\n');
