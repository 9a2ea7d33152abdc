/**
 * The conductor: one walk of one unit through the pipeline.
 *
 *   render ─► plan ─► stage ─► validate ─► activate ─► reload ─► verify ─► report
 *               │        ▲         │                       │         │
 *               │        └─────────┘ culprits held back    └────┬────┘
 *               └─► nothing to do, or not allowed               └─► way back: the same steps, to what was good
 */
import { EvenkeelError } from '../../protocol/errors.ts';
import { activate } from './activate.ts';
import { announce } from './announce.ts';
import { changesOf, driftDiffs, kernelDiffs } from './differences.ts';
import { allowedNow, failed, keepHolds, oweLoad, pauseIfDying, refuseAgain, settle } from './ends.ts';
import type { Ending, Pass } from './pass.ts';
import { type Plan, planPass } from './plan.ts';
import { without } from './refused.ts';
import { reload } from './reload.ts';
import { render } from './rendering.ts';
import { rollBack } from './rollback.ts';
import { keepServing } from './serving.ts';
import { stage, tidy } from './stage.ts';
import { validate } from './validate.ts';
import { verify } from './verify.ts';

export async function converge(pass: Pass, report: (ending: Ending) => void): Promise<Ending> {
  const ending = await forward(pass).catch(async (err: unknown) => {
    await keepServing(pass);
    return failed(pass, err);
  });
  if (pass.signal.aborted) return ending;
  await pass.step('report', async () => {
    // Said first: what cannot be tidied up, on a disk that takes nothing, must not silence it.
    report(ending);
    await tidy(pass);
  });
  return ending;
}

/** As far as it is known without touching anything. */
export async function look(pass: Pass): Promise<Plan> {
  const wanted = await pass.step('render', () => render(pass));
  const plan = await pass.step('plan', () => planPass(pass, wanted));
  const { trees } = pass.unit;
  const { clock } = pass.tools;
  const lines = plan.kernel.map(({ line }) => ({ path: `${plan.wanted.kernel?.path}: ${line}` }));
  const diffs = [...driftDiffs(plan.drift, plan.wanted, clock), ...kernelDiffs(plan)];
  pass.drift = { repaired: false, found: [...plan.drift, ...lines], diffs };
  pass.diffs = plan.tree ? changesOf(plan.wanted, plan.active, trees, clock) : [];
  return plan;
}

async function forward(pass: Pass): Promise<Ending> {
  const first = await look(pass);
  if (pass.unit.serving === null) announce(pass, first.wanted);
  const mode = allowedNow(pass);
  const isRight = !first.tree && !first.load && !first.verify;
  if (!isRight && mode.stop) return mode.stop;
  refuseAgain(pass, first);
  if (first.drift.length > 0) await oweLoad(pass);
  const plan = await sound(pass, first);
  await keepHolds(pass);
  if (isRight) return settle(pass, plan, mode);
  try {
    if (plan.tree) await pass.step('activate', () => activate(pass, plan));
    pass.drift.repaired = true;
    pauseIfDying(pass, plan);
    await load(pass, plan).catch((err: unknown) => onceMore(pass, plan, err));
  } catch (failure) {
    const back = await rollBack(pass, plan, failure);
    if (back === null) throw failure;
    return back;
  }
  announce(pass, plan.wanted);
  return settle(pass, plan, mode);
}

async function load(pass: Pass, plan: Plan): Promise<void> {
  if (plan.load) await pass.step('reload', () => reload(pass, plan));
  if (plan.verify) await pass.step('verify', () => verify(pass, plan.wanted));
}

/** Somebody may have killed the daemon just now: only when it dies again is it the tree's fault. */
async function onceMore(pass: Pass, plan: Plan, err: unknown): Promise<void> {
  if (!(err instanceof EvenkeelError) || err.code !== 'service-died' || pass.signal.aborted) throw err;
  await load(pass, { ...plan, load: true });
}

/** The first tree that the checker passes, as it comes out when the culprits are left out one after the other. */
async function sound(pass: Pass, first: Plan): Promise<Plan> {
  let plan = first;
  while (plan.tree) {
    const { wanted } = plan;
    await pass.step('stage', () => stage(pass, wanted));
    const message = await pass.step('validate', () => validate(pass, wanted));
    if (message === null) break;
    const other = await pass.step('validate', () => without(pass, wanted, message));
    plan = await pass.step('plan', () => planPass(pass, other));
  }
  return plan;
}
