/** Removal: a unit whose policy has gone. Its service ends, links and kernel lines go; its tree is kept a while. */

import { BLANK } from '../state/record.ts';
import type { Pass } from './pass.ts';
import { activeManifest } from './plan.ts';

/** Each step does nothing when it was done before; `current` goes last, since it says that there is something to do. */
export async function removeUnit({ unit, tools }: Pass): Promise<void> {
  const active = await activeManifest(unit.trees);
  const { running } = unit.record.read();
  if (running) await tools.driver.apply(running, ['stop']);
  await tools.kernel.apply(unit.name, []);
  for (const link of active ? unit.trees.links(active) : []) await tools.places.remove(link);
  await unit.record.write({ ...BLANK });
  await tools.desired.forget(unit.name);
  await unit.trees.deactivate();
  tools.hooks.serving(unit.name, null);
}
