/** The CLI's process: arguments in, exit code out. Everything else is in program.ts and below. */
import { clean } from './clean.ts';
import { exitCodeOf, explain } from './failure.ts';
import { createProgram } from './program.ts';

/** A reader that closes its pipe, such as head, is no failure. */
process.stdout.on('error', (err: NodeJS.ErrnoException) => process.exit(err.code === 'EPIPE' ? 0 : 10));

try {
  await createProgram().parseAsync();
} catch (err) {
  for (const line of explain(err)) process.stderr.write(clean(`${line}\n`));
  process.exitCode = exitCodeOf(err);
}
