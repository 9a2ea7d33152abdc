/** Stage: what the new tree needs is written and synced beside the active one, which nothing of this touches. */
import type { Pass } from './pass.ts';
import { activeManifest } from './plan.ts';
import type { Wanted } from './render.ts';

/** @throws EvenkeelError write-failed or executable-refused */
export async function stage({ unit, tools, staged }: Pass, wanted: Wanted): Promise<void> {
  const { manifest, rendered, directories, kernel } = wanted;
  tools.places.check(manifest.files.flatMap(({ link }) => (link === undefined ? [] : [{ place: link }])));
  if (kernel) tools.kernel.check(kernel.lines);
  await tools.driver.prepare(directories);
  const texts = rendered.files.flatMap(({ spans: _, text, ...file }) =>
    text === null ? [] : [{ ...file, text }],
  );
  staged.push({ digest: manifest.digest, places: await unit.trees.stage(manifest, texts) });
}

/** Removes what was staged and is not part of the active tree. */
export async function tidy({ unit, staged }: Pass): Promise<void> {
  const active = await activeManifest(unit.trees);
  const unused = staged.filter(({ digest }) => digest !== active?.digest);
  if (unused.length === 0) return;
  const used = new Set(active?.files.map((file) => unit.trees.place(file, active.digest)));
  for (const { digest, places } of unused)
    await unit.trees.discard(
      digest,
      places.filter((place) => !used.has(place)),
    );
}
