/** The manager's own program, for what is done on its box while it is stopped: it does it, and says what it did. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ended, UsageError } from './failure.ts';

/** @throws UsageError where no manager is installed, Ended when it refused */
export async function runManager(command: string, args: string[]): Promise<void> {
  const bundle = join(dirname(process.argv[1] ?? '.'), 'manager.js');
  if (!existsSync(bundle))
    throw new UsageError(`there is no ${bundle}`, `${command} runs where the manager is installed`);
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [bundle, command, ...args], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (status) => resolve(status ?? 1));
  });
  if (code !== 0) throw new Ended('refused');
}
