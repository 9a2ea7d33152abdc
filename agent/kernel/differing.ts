/** Which lines are not so, each looked at by itself: one that cannot be looked at says why, and the others are told. */
import { messageOf } from '../../protocol/errors.ts';
import type { Line } from './lines.ts';
import type { Look } from './thing.ts';

/** A line that is not so. */
export interface Difference {
  line: string;
  /** What is there instead; nothing when there is nothing of the kind, or it cannot be known. */
  found: string;
  /** Why it cannot be known. */
  why?: string;
}

export async function differenceOf({ text, thing }: Line, look: Look): Promise<Difference | null> {
  try {
    const found = await thing.found(look);
    return found === null ? null : { line: text, found };
  } catch (err) {
    return { line: text, found: '', why: messageOf(err) };
  }
}

export async function differingOf(lines: readonly Line[], look: Look): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const line of lines) {
    const one = await differenceOf(line, look);
    if (one !== null) differences.push(one);
  }
  return differences;
}

export const inWords = ({ line, found, why }: Difference): string =>
  `${line}: ${why ?? (found === '' ? 'is not there' : `there is ${found}`)}`;
