/** Reload: the daemon loads the active tree, once however many files changed, and has to show that it did. */
import type { ResolvedService } from '../../common/render/resolved.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Wish } from '../drivers/driver.ts';
import { serveWithout } from './ends.ts';
import type { Pass } from './pass.ts';
import { isRedefined, owesLoad, type Plan } from './plan.ts';
import type { Wanted } from './render.ts';
import { isDown } from './serving.ts';
import { awaitLoaded, takeAway } from './witness.ts';

/** How long something may take to show what it serves that is no service of ours. */
const WITNESS_MS = 10_000;
/** Old workers answer on for a while after new ones have begun; nginx takes 100 ms, and a busy box longer. */
const HANDOVER_MS = 250;

/** @throws EvenkeelError kernel-refused, service-failed, service-died or not-loaded */
export async function reload(pass: Pass, { wanted, tree }: Plan): Promise<void> {
  const { unit, tools, signal } = pass;
  const { digest } = wanted.manifest;
  const loads = tree || owesLoad(unit.record.read(), digest);
  const isDead = hasDied(pass);
  await tools.hooks.beforeReload(unit.name);
  await endFormer(pass, wanted);
  // Nothing need have changed for them to be gone: a reboot empties /run.
  await tools.driver.prepare(wanted.directories);
  // Before the service, which may need an address or a mount of it; what it no longer asks for is undone.
  pass.left = await holdLines(pass, wanted);
  const wasUp = wanted.service !== undefined && tools.driver.read(wanted.service).pid !== null;
  if (wanted.loaded && (loads || !wasUp)) await takeAway(wanted.loaded);
  if (wanted.service) await serve(pass, wanted.service, loads ? 'reloaded' : 'running');
  const steady = wasUp ? HANDOVER_MS : 0;
  const deadline = wanted.service?.timeout ?? WITNESS_MS;
  const isAlive = () => !wanted.service || tools.driver.read(wanted.service).pid !== null;
  if (wanted.loaded)
    await awaitLoaded(wanted.loaded, { deadline, steady, isAlive, clock: tools.clock, signal });
  const running = wanted.service ?? null;
  await unit.record.write({ wanted: digest, loaded: digest, running, folders: wanted.directories });
  if (isDead && wanted.service) pass.daemon.restarted = wanted.service.name;
  tools.hooks.reloaded(unit.name);
}

async function holdLines({ unit, tools }: Pass, { kernel }: Wanted): Promise<EvenkeelError | null> {
  try {
    await tools.kernel.apply(unit.name, kernel?.lines ?? []);
    return null;
  } catch (err) {
    if (err instanceof EvenkeelError && serveWithout.has(err.code)) return err;
    throw err;
  }
}

/** Whoever noticed it first: what ran before does not any more, and not because this pass has ended it. */
const hasDied = (pass: Pass): boolean => !pass.daemon.ended && isDown(pass);

async function serve({ tools }: Pass, service: ResolvedService, wish: Wish): Promise<void> {
  const { driver } = tools;
  await driver.apply(service, driver.plan(driver.read(service), wish));
}

/** A service that is defined in another way now is ended first, by the definition with which it was started. */
async function endFormer(pass: Pass, wanted: Wanted): Promise<void> {
  const { running } = pass.unit.record.read();
  if (running === null || !isRedefined(pass, wanted)) return;
  pass.daemon.ended = true;
  await pass.tools.driver.apply(running, ['stop']);
}
