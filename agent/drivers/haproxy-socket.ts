/** The HAProxy runtime socket: one command a connection, with a time limit and a bounded answer. */
import { connect } from 'node:net';
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';

/** Sends one command and returns the whole answer; null when nothing listens. @throws EvenkeelError driver-failed */
export type Talk = (command: string) => Promise<string | null>;

const PATIENCE_MS = 2000;
const LONGEST_ANSWER = 16 * 1024 * 1024;

export const createTalk =
  ({ socket: path, clock }: { socket: string; clock: Clock }): Talk =>
  (command) =>
    new Promise((resolve, reject) => {
      const socket = connect({ path });
      const parts: Buffer[] = [];
      let size = 0;
      const end = (act: () => void) => {
        cancelTimer();
        socket.destroy();
        act();
      };
      const fail = (detail: string, cause?: unknown) =>
        end(() => reject(new EvenkeelError('driver-failed', `HAProxy at ${path}: ${detail}`, { cause })));
      const cancelTimer = clock.after(PATIENCE_MS, () =>
        fail(`no answer to "${command}" in ${PATIENCE_MS} ms`),
      );
      socket.once('error', (err: NodeJS.ErrnoException) => {
        if (err.code === 'ENOENT' || err.code === 'ECONNREFUSED') return end(() => resolve(null));
        fail(err.message, err);
      });
      socket.on('data', (part) => {
        size += part.length;
        if (size > LONGEST_ANSWER)
          return fail(`the answer to "${command}" is longer than ${LONGEST_ANSWER} bytes`);
        parts.push(part);
      });
      socket.once('end', () => end(() => resolve(Buffer.concat(parts).toString('utf8'))));
      // Without its prompt HAProxy answers one line and closes.
      socket.write(`${command}\n`);
    });
