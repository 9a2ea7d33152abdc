/** How a pass ends: with nothing to do, not allowed, served, or with an error that left what was served as it was. */
import { type ErrorCode, EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { type Allowed, allowed } from './mode.ts';
import type { Ending, Pass } from './pass.ts';
import { activeManifest, type Plan } from './plan.ts';
import { isDown } from './serving.ts';

const AGAIN_MS = 5_000;
const LONGEST_WAIT_MS = 3_600_000;

/** The operator's word on the unit now, which never waits for a held version; and how the pass ends if it must. */
export function allowedNow({ unit, tools }: Pass): Allowed & { stop?: Ending } {
  const node = tools.desired.get('Node', tools.node);
  const policy = tools.desired.get('Policy', unit.name);
  if (!node || !policy) return { mode: 'enforce', why: '' };
  const word = allowed(node.spec, policy.spec, tools.clock.now(), tools.rootHold());
  if (word.mode === 'enforce') return word;
  const code = word.mode === 'hold' ? 'on-hold' : 'audit-only';
  return {
    ...word,
    stop: { result: 'held', step: 'plan', error: { code, message: word.why }, ...again(word) },
  };
}

/** A hold ends by the clock, so somebody has to look at it then. */
const again = ({ left }: Allowed) =>
  left === undefined ? {} : { againAfter: Math.min(left, LONGEST_WAIT_MS) };

/** A tree that failed once is not tried again while nothing else has changed. */
export function refuseAgain(pass: Pass, { wanted, active }: Plan): void {
  const { digest } = wanted.manifest;
  const before = pass.unit.record.read().refused.find((refused) => refused.digest === digest);
  if (!before || active?.digest === digest) return;
  pass.at = 'validate';
  throw new EvenkeelError(before.code === 'validate-failed' ? before.code : 'verify-failed', before.message);
}

/** Files of the active tree are about to be repaired, and the daemon may have loaded them as they were. */
export const oweLoad = ({ unit }: Pass): Promise<void> => unit.record.write({ wanted: null });

/** What the pass goes on without is remembered, so that it is not looked for again after a restart. */
export async function keepHolds({ unit, tools, holding }: Pass): Promise<void> {
  if (holding.size === 0) return;
  await tools.desired.hold(unit.name, holding);
  unit.renderer.look(holding.keys());
}

/** A daemon that keeps dying is given pauses. @throws EvenkeelError service-failed during one */
export function pauseIfDying({ unit }: Pass, { died, tree, wanted }: Plan): void {
  if (!died || tree) return;
  if (unit.restarts.wait() > 0)
    throw new EvenkeelError(
      'service-failed',
      `${wanted.service?.name} keeps dying; it is started again after a pause`,
    );
  unit.restarts.note();
}

/** What is served now is good: versions that were tried are remembered as such. */
export async function settle(pass: Pass, plan: Plan, word: Allowed): Promise<Ending> {
  const { unit, tools, drift } = pass;
  await tools.desired.settle(unit.name, plan.wanted.tried);
  // How it would be ended may have changed alone.
  await unit.record.write({ running: plan.wanted.service ?? null });
  const held = tools.desired.unit(unit.name).held().length > 0;
  const corrected =
    plan.died || (drift.found.length > 0 && plan.active?.digest === plan.wanted.manifest.digest);
  const done = corrected ? 'corrected' : plan.tree || plan.load || plan.verify ? 'changed' : 'unchanged';
  if (pass.left === null) return { result: held ? 'held' : done, ...again(word) };
  // Nothing was put right, and it would be told as such every few seconds.
  drift.repaired = false;
  const { code, message } = pass.left;
  // All that is asked for is there: nobody is to be sent elsewhere for what is there too much.
  const result = code === 'undo-failed' ? 'held' : 'failed';
  return { result, step: 'reload', error: { code, message }, againAfter: AGAIN_MS };
}

/** Of a disk that does not take what is written, in the words of the system. */
const ofDisk = /^E(NOSPC|ROFS|ACCES|PERM|DQUOT|IO|NOTDIR|ISDIR)$/;

function coded(err: unknown): EvenkeelError {
  if (err instanceof EvenkeelError) return err;
  const { code = '' } = err as NodeJS.ErrnoException;
  return new EvenkeelError(ofDisk.test(code) ? 'write-failed' : 'internal', messageOf(err), { cause: err });
}

/** What one storage or one customer lacks, or what is there too much, is told at the end: all others are served. */
export const serveWithout: ReadonlySet<string> = new Set<ErrorCode>(['line-failed', 'undo-failed']);

/** Whether the daemon of a unit ran when its last pass ended. */
export const servesAll = (last: { result: string; error?: { code: string } } | undefined): boolean =>
  last?.result !== 'failed' || (last.error !== undefined && serveWithout.has(last.error.code));

/** Whoever has to do something about it is another box, or what uses it still: to look every few seconds is no burden. */
const isAwaited = new Set<ErrorCode>(['mount-failed', 'line-failed', 'undo-failed']);
const ofKernel = new Set<ErrorCode>(['kernel-refused', ...isAwaited]);

/** An error before the swap leaves the last good tree served, and then the unit is only held. */
export async function failed(pass: Pass, err: unknown): Promise<Ending> {
  const failure = coded(err);
  const { code, message } = failure;
  const { at: step, unit } = pass;
  const first = pass.staged[0]?.digest;
  const { refused } = unit.record.read();
  if (code === 'validate-failed' && first !== undefined && !refused.some(({ digest }) => digest === first))
    await unit.record.write({ refused: [...refused, { digest: first, code, message }] });
  // What the kernel lacks is missed by whoever is served, however well the daemon runs.
  const serves = code === 'undo-failed' || (!ofKernel.has(code) && (await servesGood(pass)));
  const result = serves ? 'held' : 'failed';
  if (isAwaited.has(code)) return { result, step, error: { code, message }, againAfter: AGAIN_MS };
  return { result, step, error: { code, message }, failure };
}

async function servesGood(pass: Pass): Promise<boolean> {
  const { unit } = pass;
  const { good, loaded } = unit.record.read();
  const active = await activeManifest(unit.trees);
  if (active === null || good !== active.digest || loaded !== active.digest) return false;
  return !isDown(pass);
}
