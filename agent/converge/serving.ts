/** Serving: what is served goes on being served while nothing new may be. */
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Pass, Renewal } from './pass.ts';

/** Whether the daemon that ran last runs no more. */
export function isDown({ unit, tools }: Pass): boolean {
  const { running } = unit.record.read();
  return running !== null && tools.driver.read(running).pid === null;
}

/** Somebody wants a new process, or the files read again, whatever the mode. One that cannot be started is as one that died. */
export async function renew({ unit, tools, daemon }: Pass, asked: readonly Renewal[]): Promise<void> {
  const { running } = unit.record.read();
  if (running === null) {
    const gone = new EvenkeelError(
      'not-found',
      `there is no daemon of a unit ${unit.name} on this box any more`,
    );
    for (const { failed } of asked) failed(gone);
    return;
  }
  const wish = asked.some((one) => one.wish === 'restarted') ? 'restarted' : 'reloaded';
  if (wish === 'restarted') daemon.ended = true;
  try {
    await tools.driver.apply(running, tools.driver.plan(tools.driver.read(running), wish));
    for (const { done } of asked) done();
  } catch (err) {
    tools.log.error({ unit: unit.name, wish, err: messageOf(err) }, 'the daemon could not be renewed');
    for (const { failed } of asked) failed(err);
  }
}

/** A daemon that died is started again on the tree that it had loaded, whatever speaks against the tree that is wanted. */
export async function keepServing(pass: Pass): Promise<void> {
  const { unit, tools, daemon, signal } = pass;
  const { loaded, running } = unit.record.read();
  if (signal.aborted || running === null || !isDown(pass)) return;
  if (loaded === null || (await unit.trees.active()) !== loaded || unit.restarts.wait() > 0) return;
  unit.restarts.note();
  try {
    await tools.driver.apply(running, ['start']);
    daemon.restarted = running.name;
  } catch (err) {
    tools.log.error({ unit: unit.name, err: messageOf(err) }, 'what was served cannot be served again');
  }
}
