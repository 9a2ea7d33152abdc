/** Removal: a unit whose policy has gone. Its service ends, links and kernel lines go; its tree is kept a while. */
import type { ServiceDriver } from '../drivers/driver.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Places } from '../state/places.ts';
import { BLANK } from '../state/record.ts';
import { failed } from './ends.ts';
import type { Ending, Pass, Unit } from './pass.ts';
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

async function remove({ unit, tools }: Pass): Promise<void> {
  await withdraw(unit, tools);
  await tools.desired.forget(unit.name);
  await unit.trees.deactivate();
  tools.hooks.serving(unit.name, null);
}

type Withdrawn = Pick<Unit, 'name' | 'trees' | 'record'>;

/** Each step does nothing when it was done before. `current` is to go last, since it says that there is something to do. */
export async function withdraw(
  { name, trees, record }: Withdrawn,
  {
    driver,
    kernel,
    places,
  }: { driver: ServiceDriver; kernel: Pick<Kernel, 'apply'>; places: Pick<Places, 'remove'> },
): Promise<void> {
  const active = await activeManifest(trees);
  const { running } = record.read();
  if (running) await driver.apply(running, ['stop']);
  await kernel.apply(name, []);
  for (const link of active ? trees.links(active) : []) await places.remove(link);
  await record.write({ ...BLANK });
}
