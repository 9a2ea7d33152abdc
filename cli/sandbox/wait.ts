/** Waiting for a state of the world: looked at again and again, until it is there or the deadline has passed. */
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';

/** What a look found: the thing itself, or in words what is still missing. */
export type Look<T> = { there: T } | { missing: string };

/**
 * Waits until `look` finds it. A look that throws counts as not there yet, with its message as the reason.
 * @throws EvenkeelError timeout, with what was missing last; service-failed, when it is hopeless
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<Look<T>>,
  { clock, deadline, signal, hopeless, every = 100 }: WaitOptions,
): Promise<T> {
  const end = clock.monotonic() + deadline;
  for (;;) {
    const found = await look().catch((err: unknown): Look<T> => ({ missing: chainOf(err) }));
    if ('there' in found) return found.there;
    const lost = hopeless?.();
    if (lost !== undefined) throw new EvenkeelError('service-failed', `${what}: ${lost}`);
    if (clock.monotonic() >= end)
      throw new EvenkeelError(
        'timeout',
        `${what}: not within ${deadline / 1000} s; missing: ${found.missing}`,
      );
    await clock.sleep(every, signal);
  }
}

export interface WaitOptions {
  clock: Clock;
  /** Milliseconds. */
  deadline: number;
  signal?: AbortSignal;
  /** In words, why there is no use in waiting on. */
  hopeless?: () => string | undefined;
  every?: number;
}

/** An error with what caused it: of a refused connection, the cause says where to. */
function chainOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return err.cause === undefined ? err.message : `${err.message}: ${chainOf(err.cause)}`;
}
