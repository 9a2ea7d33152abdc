/** Serving: what is served goes on being served while nothing new may be. */
import { messageOf } from '../../protocol/errors.ts';
import type { Pass } from './pass.ts';

/** A daemon that died is started again on the tree that it had loaded, whatever speaks against the tree that is wanted. */
export async function keepServing({ unit, tools, daemon, signal }: Pass): Promise<void> {
  const { loaded, running } = unit.record.read();
  if (signal.aborted || running === null || tools.driver.read(running).pid !== null) return;
  if (loaded === null || (await unit.trees.active()) !== loaded || unit.restarts.wait() > 0) return;
  unit.restarts.note();
  try {
    await tools.driver.apply(running, ['start']);
    daemon.restarted = running.name;
  } catch (err) {
    tools.log.error({ unit: unit.name, err: messageOf(err) }, 'what was served cannot be served again');
  }
}
