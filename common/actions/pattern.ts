/** Patterns of parameters: somebody declared them, so what they would take for ever is ended. Pure but for the time of that. */
import { runInNewContext } from 'node:vm';

/** What fits takes no thousandth of it. Meanwhile this process does nothing else. */
const MOST_MS = 100;

/** @throws SyntaxError for what is no regular expression */
export const patternOf = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, 'u');

/** `endless`: it was not found out in time, or the engine gave up on it. */
export type Fit = 'fits' | 'endless' | { misfit: string };

/** Whether all values fit, or the first that does not. All of them together have one time. */
export function fitOf(pattern: string, values: readonly string[]): Fit {
  const given = { pattern: patternOf(pattern), values };
  let at: number;
  try {
    at = runInNewContext('values.findIndex((value) => !pattern.test(value))', given, { timeout: MOST_MS });
  } catch {
    return 'endless'; // the end of its time, or a pattern that grew too large when it was first used
  }
  const misfit = values[at];
  return misfit === undefined ? 'fits' : { misfit };
}
