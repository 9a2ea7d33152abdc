/** Validate: the daemon's own checker judges the whole of a tree that is not active yet. */
import { shrunken } from '../drivers/lvs/guard.ts';
import type { Pass } from './pass.ts';
import type { Wanted } from './render.ts';

/** Null when it passes, else the checker's own message, or that of the kernel lines' grammar. @throws EvenkeelError command-missing, command-timeout or executable-refused */
export async function validate({ unit, tools, signal }: Pass, wanted: Wanted): Promise<string | null> {
  const complaint = kernelComplaint(wanted) ?? balancerComplaint(wanted);
  if (complaint !== null) return complaint;
  const { good, proven } = unit.record.read();
  const { digest } = wanted.manifest;
  // Judged before: so a repair is quick, and a way back does not depend on the checker.
  if (!wanted.validate || digest === good || proven.includes(digest)) return null;
  const { run, timeout, passes } = wanted.validate;
  const { status, output } = await tools.run(run, { timeout, signal });
  return (passes ? passes.test(output) : status === 0)
    ? null
    : output.trim() || `${run[0]} ended with ${status ?? 'a signal'}`;
}

function kernelComplaint({ kernel }: Wanted): string | null {
  if (kernel === undefined || kernel.problems.length === 0) return null;
  return kernel.problems.map((problem) => `${kernel.path}:${problem}`).join('\n');
}

/** keepalived itself would take an empty file. */
function balancerComplaint({ rendered: { files, context } }: Wanted): string | null {
  const file = files.find(({ path }) => path === KEEPALIVED);
  const complaint = file === undefined ? null : shrunken(file.text ?? '', context.inputs);
  return complaint === null ? null : `${KEEPALIVED}: ${complaint}`;
}
const KEEPALIVED = 'keepalived.conf';
