/** Whether the manager of a benchmark serves, asked from outside. */
import { connect } from 'node:net';
import type { Bench } from '../bench.ts';
import type { Api } from './api.ts';
import { ADDRESS, type Cluster } from './cluster.ts';

/** Until the manager is ready to serve. */
export async function serves(cluster: Cluster, api: Api, { clock }: Pick<Bench, 'clock'>): Promise<void> {
  const deadline = clock.monotonic() + 30_000;
  while (!((await isOpen(cluster.ports.broker)) && (await api.isReady()))) {
    if (clock.monotonic() > deadline)
      throw new Error('the manager did not serve within 30 s; its log is in the run folder');
    await clock.sleep(20);
  }
}

export const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ port, host: ADDRESS });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
