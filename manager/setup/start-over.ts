/** Starting over: the store is lost and there is no backup. A new store takes its place, under the same keys, with the shipped policies alone. */
import type { Clock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { placesOf, readConfig } from '../config.ts';
import { rules } from '../desired/rules.ts';
import { loadShipped } from '../shipped.ts';
import { openStore } from '../store/open.ts';
import { learnEarlier, refuseRunning, setAside } from './aside.ts';
import { fill } from './fill.ts';

export interface StartOverRequest {
  data: string;
  /** Where the shipped policies/ and templates/ are. */
  content: string;
  /** The driver of the balancer role. */
  balancer: string;
}

export interface StartedOver {
  /** The new admin token, shown this once: the old ones are lost with the store. */
  token: string;
  /** Above every epoch that is known. */
  epoch: number;
  /** Where what is left of the old store lies now. */
  aside: string;
}

/**
 * The new store knows no node, so none is let in, and none changes anything, before an operator has invited it again.
 * @throws EvenkeelError bad-request while the manager runs; invalid-document: nothing has changed then
 */
export async function startOver(
  { data, content, balancer }: StartOverRequest,
  clock: Clock,
): Promise<StartedOver> {
  const { address, ports } = await readConfig(data);
  await refuseRunning({ address, ports, logLevel: 'silent' });
  const documents = await loadShipped(content);
  const { cluster, epoch: seenEpoch } = await learnEarlier(data, clock);
  const aside = await setAside(data, [], clock);
  const log = createLog('manager', 'silent');
  const file = placesOf(data).store;
  const store = await openStore({ file, rules, create: true, ...(cluster && { cluster }), clock, log });
  try {
    const token = await fill(store, { address, balancer, fallbackPort: ports.fallback }, documents);
    await store.resume({ actor: 'start-over', seenEpoch, allowShrink: false });
    return { token, epoch: store.meta().epoch, aside };
  } finally {
    await store.close();
  }
}
