/** `evenkeel down`: ends the sandbox and leaves nothing running, also after a crash. */
import type { Command } from 'commander';
import { systemClock } from '../../common/clock.ts';
import { layoutOf } from '../sandbox/layout.ts';
import { tearDown } from '../sandbox/tear-down.ts';

export function addDown(program: Command): void {
  program
    .command('down')
    .description('end the sandbox: manager, agents and every daemon; its data stay')
    .option('--dir <folder>', 'where it lies', 'var')
    .option('--purge', 'remove its data as well', false)
    .action(async ({ dir, purge }: { dir: string; purge: boolean }) => {
      const say = (line: string) => process.stdout.write(`${line}\n`);
      await tearDown(layoutOf(dir), { clock: systemClock, say, purge });
    });
}
