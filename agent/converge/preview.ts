/** Preview: what a pass would change, by the same steps stopped before the first that touches anything. */
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { UnitPlan } from '../../protocol/messages.ts';
import { look } from './converge.ts';
import { changesOf } from './differences.ts';
import type { Pass } from './pass.ts';
import { activeManifest } from './plan.ts';

/** @param wanted false for a unit whose policy is gone: it would be removed */
export async function planOf(pass: Pass, wanted: boolean): Promise<UnitPlan> {
  const { unit, tools } = pass;
  const held = tools.desired.unit(unit.name).held();
  const base = { unit: unit.name, drift: false, held, diffs: [] };
  if (!wanted) return removalOf(pass);
  try {
    const plan = await look(pass);
    const changes = plan.tree || plan.load;
    const diffs = [...pass.diffs, ...(pass.diffs.length === 0 ? pass.drift.diffs : [])];
    return {
      ...base,
      result: changes ? 'would-change' : 'unchanged',
      drift: pass.drift.found.length > 0,
      diffs,
    };
  } catch (err) {
    const code = err instanceof EvenkeelError ? err.code : 'internal';
    return { ...base, result: 'failed', error: { code, message: messageOf(err) } };
  }
}

async function removalOf({ unit, tools }: Pass): Promise<UnitPlan> {
  const active = await activeManifest(unit.trees);
  const diffs = active === null ? [] : changesOf(null, active, unit.trees, tools.clock);
  return { unit: unit.name, result: 'would-change', drift: false, held: [], diffs };
}
