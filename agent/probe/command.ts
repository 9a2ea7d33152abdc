/** The command check: an argument list that ends with status 0. */
import { runChild } from './child.ts';
import { type CheckResult, failed, passed } from './result.ts';

/** @param signal kills the command and everything that it has started */
export async function checkCommand({ run }: { run: string[] }, signal: AbortSignal): Promise<CheckResult> {
  const { status, output } = await runChild(run, signal).ended;
  if (status === 0) return passed(output === '' ? 'ended with status 0' : output);
  return failed(`ended ${status === null ? 'by a signal' : `with status ${status}`}: ${output}`);
}
