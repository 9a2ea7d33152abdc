/** `evenkeel state`: how the manager itself stands. */
import type { Command } from 'commander';
import type { ManagerState } from '../../protocol/views.ts';
import { type Session, sessionOf } from '../session.ts';

export function addState(program: Command): void {
  program
    .command('state')
    .description('the manager: epoch, revision, and whether it is held')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const state = await session.client.call('state');
      session.print(state, () => stateText(state, session));
    });
}

export function stateText(state: ManagerState, session: Session): string {
  const { version, cluster, epoch, revision, mode, reason, ahead, address, ports } = state;
  const { paint } = session;
  const lines = [
    `mode      ${mode === 'serving' ? paint('good', mode) : paint('bad', mode)}${reason === undefined ? '' : `: ${reason}`}`,
    `revision  ${revision}, epoch ${epoch}`,
    `cluster   ${cluster}`,
    `version   ${version}`,
    `listens   ${address}, ${Object.entries(ports)
      .map(([name, port]) => `${name} ${port}`)
      .join(', ')}`,
  ];
  if (ahead.length > 0) {
    const rows = ahead.map((one) => [one.node, one.scope, String(one.epoch), String(one.rev)]);
    lines.push(
      '',
      'these nodes have what the store has not:',
      session.table(['NODE', 'SCOPE', 'EPOCH', 'REVISION'], rows),
    );
  }
  if (mode === 'held') lines.push('', 'nothing is written or published until: evenkeel resume');
  return lines.join('\n');
}
