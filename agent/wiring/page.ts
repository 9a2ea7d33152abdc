/** The fallback page of a director of LVS, on its own address: the table leads there when nobody is left, and no manager is needed. */
import type { Clock } from '../../common/clock.ts';
import { createFallback } from '../../common/fallback.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Desired } from '../state/desired.ts';
import type { Chosen } from './balancer.ts';

export interface PageOptions {
  node: string;
  desired: Pick<Desired, 'get' | 'list'>;
  chosen: () => Chosen | undefined;
  clock: Clock;
  log: Log;
}

export interface Page {
  /** Begins or ends to serve, as is declared now. */
  look(): void;
  stop(): Promise<void>;
}

export function createPage({ node, desired, chosen, clock, log }: PageOptions): Page {
  const serving = new Map<string, () => Promise<void>>();
  let queue: Promise<void> = Promise.resolve();
  const places = (): { address: string; port: number }[] | undefined => {
    const driver = chosen();
    // Nobody knows yet what is to be balanced; the table may lead here, and what is served goes on.
    if (driver === undefined) return undefined;
    if (driver !== 'lvs' && driver !== 'ipvsadm') return [];
    const isAsked = desired.list('VirtualService').some(({ spec }) => spec.fallback === 'manager');
    const self = desired.get('Node', node)?.spec;
    const port = desired.get('Cluster', 'cluster')?.spec.fallback.port;
    if (!isAsked || !self || port === undefined) return [];
    return [self.address, self.address6 ?? ''].filter(Boolean).map((address) => ({ address, port }));
  };
  const nameOf = ({ address, port }: { address: string; port: number }) => `${address} ${port}`;
  const adapt = async (wanted: { address: string; port: number }[]) => {
    const names = wanted.map(nameOf);
    for (const [name, stop] of serving)
      if (!names.includes(name)) {
        serving.delete(name);
        await stop();
      }
    for (const listen of wanted.filter((one) => !serving.has(nameOf(one))))
      serving.set(nameOf(listen), await createFallback({ listen, clock, log }).start());
  };
  const later = (wanted: () => { address: string; port: number }[] | undefined) => {
    queue = queue
      .then(() => {
        const places = wanted();
        return places === undefined ? undefined : adapt(places);
      })
      .catch((err: unknown) => log.warn({ err: messageOf(err) }, 'the fallback page cannot be served'));
    return queue;
  };
  return { look: () => void later(places), stop: () => later(() => []) };
}
