/** The way back: to the last good versions by the same steps that lead forward. It says the first error, never its own. */
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Versions } from '../state/memory.ts';
import { activate } from './activate.ts';
import { announce } from './announce.ts';
import { holdAll } from './hold.ts';
import type { Ending, Pass } from './pass.ts';
import { activeManifest, isRedefined, type Plan } from './plan.ts';
import { reload } from './reload.ts';
import type { Wanted } from './render.ts';
import { stage } from './stage.ts';
import { validate } from './validate.ts';
import { verify } from './verify.ts';

/** Errors that speak against the tree itself, and not against the disk or the box. */
const blamesTree = new Set<string>([
  'kernel-refused',
  'service-failed',
  'service-died',
  'not-loaded',
  'verify-failed',
  'command-failed',
  'command-missing',
  'command-timeout',
  'executable-refused',
]);

/** Soon after, the unit is looked at again: then it says that it is held, and why. */
const SOON_MS = 2_000;

/**
 * Leads back to what was good, after `failure` in a tree that is active already. What changed since is quarantined
 * first, so that a crash on the way back leads back as well.
 * @returns null when there is no way back: nothing was good before, nothing changed since, or it is not the tree's fault
 */
export async function rollBack(pass: Pass, plan: Plan, failure: unknown): Promise<Ending | null> {
  const { unit, tools } = pass;
  const { renderer, record } = unit;
  const { shared, items } = renderer.suspects();
  const { tried } = plan.wanted;
  const changed = [...shared, ...items].filter((key) => !pass.holding.has(key) && tried.has(key));
  const { good, refused } = record.read();
  const { digest } = plan.wanted.manifest;
  if (pass.signal.aborted || !(failure instanceof EvenkeelError) || !blamesTree.has(failure.code))
    return null;
  const isGood = good === digest && !isRedefined(pass, plan.wanted);
  if (good === null || isGood || changed.length === 0) return null;

  const step = pass.at;
  const { code, message } = failure;
  const ended = { step, error: { code, message } };
  try {
    await tools.desired.hold(unit.name, holdAll(tried, changed, message));
    renderer.look(changed);
    if (digest !== good) await record.write({ refused: [...refused, { digest, code, message }] });
    await serveAgain(pass, good);
    return { ...ended, result: 'rolledBack', againAfter: SOON_MS };
  } catch (err) {
    tools.log.error({ unit: unit.name, step: pass.at, err: messageOf(err) }, 'the way back failed');
    return { ...ended, result: 'failed', failure };
  }
}

/**
 * Every byte is rendered and compared with the disk: a good tree that was edited by hand meanwhile is good no more.
 * What has come since is left for the next pass, which asks the checker first.
 * @throws EvenkeelError validate-failed when it is another tree than the good one, and the checker refuses it
 */
async function serveAgain(pass: Pass, good: string): Promise<void> {
  const { unit, tools } = pass;
  const memory = tools.desired.unit(unit.name);
  const lastGood = (): Versions =>
    new Map(
      [...memory.changed().keys()].flatMap((key) => (memory.isHeld(key) ? [] : [[key, memory.good(key)]])),
    );
  const wanted = await unit.renderer.wanted(new Map(), lastGood);
  const active = await activeManifest(unit.trees);
  const back: Plan = {
    wanted,
    active,
    drift: [],
    kernel: [],
    died: false,
    tree: true,
    load: true,
    verify: true,
  };
  await pass.step('stage', () => stage(pass, wanted));
  if (wanted.manifest.digest !== good) await mustPass(pass, wanted);
  await pass.step('activate', () => activate(pass, back));
  await pass.step('reload', () => reload(pass, back));
  await pass.step('verify', () => verify(pass, wanted));
  announce(pass, wanted);
}

async function mustPass(pass: Pass, wanted: Wanted): Promise<void> {
  const message = await pass.step('validate', () => validate(pass, wanted));
  if (message !== null) throw new EvenkeelError('validate-failed', message);
}
