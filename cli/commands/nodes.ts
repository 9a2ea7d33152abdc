/** `evenkeel nodes`: every node on a line. */
import type { Command } from 'commander';
import { nodeHeaders, nodeRow } from '../node-look.ts';
import { sessionOf } from '../session.ts';

export function addNodes(program: Command): void {
  program
    .command('nodes')
    .description('all nodes and how they are')
    .addHelpText('after', '\nMore of one: evenkeel node show NAME\n')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const { items } = await session.client.call('nodes');
      session.print(items, () =>
        items.length === 0
          ? 'there are no nodes yet; `evenkeel node invite` prints how a box joins'
          : session.table(nodeHeaders, items.map(nodeRow)),
      );
    });
}
