/** Activate: what is wanted is written down, then `current` is led to the new tree by one rename. */
import type { Pass } from './pass.ts';
import type { Plan } from './plan.ts';

export async function activate({ unit, tools }: Pass, { wanted, active }: Plan): Promise<void> {
  const { manifest } = wanted;
  const { proven, loaded } = unit.record.read();
  const others = proven.filter((digest) => digest !== manifest.digest);
  // After a repair, or on a way back, it was shown before: only without a word on it is its reload still owed.
  const owed = loaded === manifest.digest ? null : manifest.digest;
  await unit.record.write({ wanted: owed, proven: [...others, manifest.digest] });
  const links = unit.trees.links(manifest);
  const places = new Set(links.map(({ place }) => place));
  const obsolete = active === null ? [] : unit.trees.links(active);
  for (const link of obsolete) if (!places.has(link.place)) await tools.places.remove(link);
  for (const link of links) await tools.places.put(link);
  if ((await unit.trees.active()) !== manifest.digest) await unit.trees.activate(manifest.digest);
}
