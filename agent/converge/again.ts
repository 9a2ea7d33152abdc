/** Again: what is held back is tried once more, since its cause may lie on the box and be gone. */
import { allowedNow } from './ends.ts';
import type { Pass } from './pass.ts';

/** What the checker or the renderer refused: to ask them again does no harm. What did harm when it was served stays. */
export async function askAgain(pass: Pass): Promise<void> {
  const { unit } = pass;
  if (allowedNow(pass).mode !== 'enforce') return;
  await release(pass, { harmful: false });
  const refused = unit.record.read().refused.filter(({ code }) => code !== 'validate-failed');
  if (refused.length < unit.record.read().refused.length) await unit.record.write({ refused });
}

/** By the operator's word: all of it. */
export async function tryAll(pass: Pass): Promise<void> {
  await release(pass, { harmful: true });
  await pass.unit.record.write({ refused: [] });
}

async function release({ unit, tools }: Pass, options: { harmful: boolean }): Promise<void> {
  unit.renderer.look(await tools.desired.release(unit.name, options));
}
