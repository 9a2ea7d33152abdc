/** A question to whoever sits at the terminal, where a wrong yes does harm. */
import { createInterface } from 'node:readline/promises';
import { UsageError } from './failure.ts';

/** @throws UsageError where there is no terminal to ask at, with how it is said instead */
export async function isYes(question: string, instead: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError('there is no terminal to ask at', instead);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  lines.once('SIGINT', () => process.exit(130));
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
