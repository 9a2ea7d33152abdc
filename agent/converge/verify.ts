/** Verify: the policy's checks pass with the new tree, or it is no good. */
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Pass } from './pass.ts';
import type { Wanted } from './render.ts';

const LOOK_MS = 100;

/**
 * What speaks of the box and not of the tree: a full disk or a lost file server is no reason to go back to an older tree.
 * The kernel's lines have been read back when they were made, where one customer's are told from the others.
 */
const OF_THE_BOX: ReadonlySet<ResolvedCheck['type']> = new Set(['disk', 'mount', 'kernel']);

/** Only here does a tree become good. @throws EvenkeelError verify-failed or service-died */
export async function verify({ unit, tools, signal }: Pass, wanted: Wanted): Promise<void> {
  const { service, checks, deadline } = wanted;
  const died = new AbortController();
  const undo = tools.clock.every(LOOK_MS, () => {
    if (service && tools.driver.read(service).pid === null) died.abort(new Error('the daemon died'));
  });
  try {
    const given = { deadline, signal: AbortSignal.any([signal, died.signal]) };
    const ofTree = checks.filter(({ type }) => !OF_THE_BOX.has(type));
    const { ok, failures } = await tools.runChecks(ofTree, given);
    const found = failures.map(({ check, detail }) => `${check}: ${detail}`).join('; ');
    if (!ok) throw new EvenkeelError(died.signal.aborted ? 'service-died' : 'verify-failed', found);
  } finally {
    undo();
  }
  await unit.record.write({ good: wanted.manifest.digest });
}
