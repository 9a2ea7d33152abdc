/** Reach: whether somebody answers at an address and a port. */
import { connect } from 'node:net';
import { messageOf } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';

/** Null when somebody answers; else why nobody does. */
export type Reach = (address: string, port: number) => Promise<string | null>;

/** @param patience milliseconds until nobody is waited for any more */
export const createReach =
  (clock: Pick<Clock, 'after'>, patience: number): Reach =>
  (host, port) =>
    new Promise((resolve) => {
      const socket = connect({ host, port });
      const end = (why: string | null) => {
        undo();
        socket.destroy();
        resolve(why);
      };
      const undo = clock.after(patience, () => end(`nothing within ${patience / 1000} s`));
      socket.once('connect', () => end(null));
      socket.on('error', (err) => end((err as NodeJS.ErrnoException).code ?? messageOf(err)));
    });
