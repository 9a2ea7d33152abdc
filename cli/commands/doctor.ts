/** `evenkeel doctor`: the manager and every node, looked at now; what is wrong with its reason, its fix and a command. */
import type { Command } from 'commander';
import { checklist, isFailing, tally } from '../../common/findings.ts';
import type { Examined } from '../../protocol/preflight.ts';
import { Ended } from '../failure.ts';
import type { Paint } from '../paint.ts';
import { withProgress } from '../progress.ts';
import { sessionOf } from '../session.ts';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('look at the manager and every node, or at one node, and say what to do')
    .argument('[node]')
    .addHelpText(
      'after',
      '\nEach node looks at its own box. Nothing is changed. Ends with 1 when a check fails.\n',
    )
    .action(async (node: string | undefined, _: object, command: Command) => {
      const session = sessionOf(command);
      const { client } = session;
      const all = node === undefined;
      const seen = await withProgress(`asking ${node ?? 'every node'}`, async () =>
        all
          ? (await client.call('doctor')).items
          : [await client.call('doctorNode', { params: { name: node } })],
      );
      session.print(all ? seen : seen[0], () => doctorText(seen, session.paint));
      if (seen.some(({ checks }) => isFailing(checks))) throw new Ended('difference');
      if (seen.some(({ error }) => error !== undefined)) throw new Ended('unreachable');
    });
}

export const doctorText = (seen: readonly Examined[], paint: Paint): string =>
  seen
    .map(({ node, checks, error }) => {
      const head = paint('bold', node ?? 'the manager');
      const unasked = error === undefined ? [] : [paint('bad', `it could not be asked: ${error}`)];
      return [`${head}  ${tally(checks)}`, ...unasked, checklist(checks, paint)].join('\n');
    })
    .join('\n\n');
