/** Verify: after a reload, every check has to pass once before a deadline. */
import type { Clock } from '../../common/clock.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import type { RunCheck } from './check.ts';

export interface VerifyResult {
  ok: boolean;
  /** The checks that never passed, with what they last found. */
  failures: { check: string; detail: string }[];
}

export interface VerifyOptions {
  /** Milliseconds for all of them together. */
  deadline: number;
  runCheck: RunCheck;
  clock: Clock;
  signal: AbortSignal;
}

const PAUSE_MS = 100;

/** Tries every check again until it passes or the deadline is over. None is a success. */
export async function runChecks(
  checks: readonly ResolvedCheck[],
  { deadline, runCheck, clock, signal }: VerifyOptions,
): Promise<VerifyResult> {
  const end = clock.monotonic() + deadline;
  const attempts = checks.map(async (check) => {
    for (;;) {
      const left = end - clock.monotonic();
      const timeout = Math.max(1, Math.min(check.timeout, left));
      const { ok, detail } = await runCheck({ ...check, timeout }, { signal });
      if (ok) return [];
      if (signal.aborted || clock.monotonic() + PAUSE_MS >= end) return [{ check: check.name, detail }];
      await clock.sleep(PAUSE_MS);
    }
  });
  const failures = (await Promise.all(attempts)).flat();
  return { ok: failures.length === 0, failures };
}
