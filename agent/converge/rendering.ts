/** Rendering a pass: an item or a template that cannot be rendered is held back, and the others go on without it. */
import { failedItems } from '../../common/render/unit.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { holdBack, isTooMany, versionsHeld } from './hold.ts';
import type { Pass } from './pass.ts';
import { activeManifest, previousOf } from './plan.ts';
import type { Wanted } from './render.ts';

/** @throws EvenkeelError render-failed when nobody can be held back for it, or paths-differ */
export async function render(pass: Pass): Promise<Wanted> {
  const { trees, renderer } = pass.unit;
  const previous = previousOf(await activeManifest(trees));
  for (;;) {
    try {
      return await renderer.wanted(previous, versionsHeld(pass));
    } catch (err) {
      if (!(err instanceof EvenkeelError) || err.code !== 'render-failed' || !blame(pass, err)) throw err;
    }
  }
}

/** Says whether it has found somebody to hold back who is not held back already. */
function blame(pass: Pass, error: EvenkeelError): boolean {
  const { holding, unit } = pass;
  const suspects = unit.renderer.suspects();
  const items = failedItems(error).filter((key) => holding.get(key)?.serving !== 'nothing');
  const few = !isTooMany([...new Set([...holding.keys(), ...items])], suspects, unit.renderer.count());
  if (items.length > 0 && few) {
    const reasons = new Map(error.problems.map(({ path, message }) => [path, message]));
    for (const key of items)
      holdBack(pass, key, { reason: reasons.get(key) ?? error.message }, unit.renderer.tried());
    return true;
  }
  // When most fail, or the unit's own files do, it is what they share.
  const shared = suspects.shared.filter((key) => !holding.has(key));
  if (unit.record.read().good === null) return false;
  for (const key of shared) holdBack(pass, key, { reason: error.message }, unit.renderer.tried());
  return shared.length > 0;
}
