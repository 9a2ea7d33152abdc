/** Removal: a unit whose policy has gone. Its service ends, links and kernel lines go; its tree is kept a while. */

import { BLANK } from '../state/record.ts';
import { failed } from './ends.ts';
import type { Ending, Pass } from './pass.ts';
import { activeManifest } from './plan.ts';
import type { Reporter } from './report.ts';

/** What cannot be removed is told as any pass that failed, and that it is gone then, to whom that was told. */
export async function removeUnit(pass: Pass, reporter: Pick<Reporter, 'pass' | 'last'>): Promise<Ending> {
  const { name, record } = pass.unit;
  pass.at = 'reload';
  const ending = await remove(pass).then(
    (): Ending => ({ result: 'changed' }),
    (err: unknown) => failed(pass, err),
  );
  if (ending.error || reporter.last().get(name)?.error)
    reporter.pass(pass, ending, record.read().loaded ?? '');
  return ending;
}

/** Each step does nothing when it was done before; `current` goes last, since it says that there is something to do. */
async function remove({ unit, tools }: Pass): Promise<void> {
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
