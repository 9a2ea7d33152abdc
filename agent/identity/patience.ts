/** Patience: a box that waits for an operator asks again with the same key, for so long and no longer. */
import type { Clock } from '../../common/clock.ts';
import { type ErrorCode, EvenkeelError } from '../../protocol/errors.ts';

/** What an operator can end. */
const waits = new Set<ErrorCode>(['join-waiting', 'identity-changed']);
const EVERY_MS = 5_000;

export interface PatienceOptions {
  /** Milliseconds; nothing is tried after them. */
  wait: number;
  /** Hears what it waits for, once. */
  say: (line: string) => void;
  clock: Clock;
}

/** @throws EvenkeelError what the manager says at last, or at once where nobody can end it by accepting the box */
export async function patiently<T>(ask: () => Promise<T>, { wait, say, clock }: PatienceOptions): Promise<T> {
  const end = clock.monotonic() + wait;
  let said: string | undefined;
  for (;;) {
    try {
      return await ask();
    } catch (err) {
      if (!(err instanceof EvenkeelError)) throw err;
      // Once it waits, a manager that restarts or is busy for a moment is waited for as well.
      const isPatient = waits.has(err.code) || (said !== undefined && err.retriable);
      if (!isPatient || clock.monotonic() + EVERY_MS > end) throw err;
      if (said !== err.message) say(err.message);
      said = err.message;
    }
    await clock.sleep(EVERY_MS);
  }
}
