/** The result of one run of a check: it passed or it did not, and why; and the small doings that every check shares. */
import type { Clock } from '../../common/clock.ts';
import { messageOf } from '../../protocol/errors.ts';

export interface CheckResult {
  ok: boolean;
  /** What was found, for people; one line, at most 500 characters. */
  detail: string;
}

const LONGEST = 500;

/** One line of bounded length, whatever a daemon said. */
export const oneLine = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .trim()
    .slice(0, LONGEST);

export const passed = (detail: string): CheckResult => ({ ok: true, detail: oneLine(detail) });
export const failed = (detail: string): CheckResult => ({ ok: false, detail: oneLine(detail) });

/** What a check is run with besides its own description. */
export interface CheckTools {
  clock: Clock;
  /** Ends when the check's time is over, or when nobody wants its answer any more. */
  signal: AbortSignal;
}

/**
 * Runs `attempt` with a signal that ends after `ms`. What it throws is a failure of the check, never of the caller;
 * and when the attempt does not heed the signal, the answer comes in time all the same.
 */
export async function withinTime(
  ms: number,
  { clock, signal }: CheckTools,
  attempt: (signal: AbortSignal) => Promise<CheckResult>,
): Promise<CheckResult> {
  const own = new AbortController();
  const late = new Error(`no answer within ${Math.round(ms)} ms`);
  const cancelTimer = afterOurTime(ms, clock, () => own.abort(late));
  const forward = () => own.abort(signal.reason);
  signal.addEventListener('abort', forward, { once: true });
  if (signal.aborted) forward();
  try {
    return await Promise.race([attempt(own.signal), rejectionOf(own.signal)]);
  } catch (err) {
    return failed(own.signal.aborted ? messageOf(own.signal.reason) : messageOf(err));
  } finally {
    cancelTimer();
    signal.removeEventListener('abort', forward);
  }
}

/**
 * Calls after `ms` in which this process could have listened: when the timer comes late, it was we who were busy, and
 * the other side gets its time once more.
 */
function afterOurTime(ms: number, clock: Clock, call: () => void): () => void {
  const due = clock.monotonic() + ms;
  let cancel = clock.after(ms, () => {
    if (clock.monotonic() - due <= ms / 10) call();
    else cancel = clock.after(ms, call);
  });
  return () => cancel();
}

const rejectionOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const reason = () => reject(signal.reason as Error);
    if (signal.aborted) return reason();
    signal.addEventListener('abort', reason, { once: true });
  });
