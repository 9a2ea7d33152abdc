/** The way back of one resource through the runs of a setup: it ends at what somebody else has said. Pure. */
import { keyOf } from '../../protocol/resource.ts';
import type { JournalEntry } from '../../protocol/views.ts';
import { isSame } from './declared.ts';
import type { Deed } from './kept.ts';
import { isWordOf } from './settled.ts';

export type Way =
  /** Null: it is to be gone. `isOthers` where that was declared between two runs, and not before the first. */
  | { to: object | null; isOthers: boolean }
  | 'there'
  /** Somebody else has changed it since the last run. */
  | 'changed';

/** What stands there; null and 0 for nothing. */
export interface Stands {
  spec: object | null;
  revision: number;
}

/**
 * @param deeds of one resource, oldest first
 * @param entries what the journal has of it since the first of them, oldest first
 * @param force takes what stands there for the setup's own
 */
export function wayBack(
  deeds: readonly [Deed, ...Deed[]],
  now: Stands,
  { entries, force }: { entries: readonly JournalEntry[]; force: boolean },
): Way {
  let first = deeds.at(-1) ?? deeds[0];
  if (!force && !isUntouched(first, now.revision, entries))
    return deeds.some(({ before }) => isSame(before, now.spec)) ? 'there' : 'changed';
  for (const earlier of deeds.slice(0, -1).reverse()) {
    if (!isUntouched(earlier, first.was, entries)) break;
    first = earlier;
  }
  return isSame(first.before, now.spec) ? 'there' : { to: first.before, isOthers: first !== deeds[0] };
}

/** Whether until a revision nobody has said otherwise: the box itself and the verbs may have added their word. */
function isUntouched(deed: Deed, until: number, entries: readonly JournalEntry[]): boolean {
  const { made } = deed;
  if (made === undefined || until < made) return false;
  const between = entries.filter(({ rev }) => rev > made && rev <= until);
  return between.every((entry) => isWordOf(entry, deed)) && (until === made || between.at(-1)?.rev === until);
}

/** Whether the journal has to be asked. */
export const isPlain = (deeds: readonly Deed[], { revision }: Stands): boolean =>
  deeds.every(({ made }, at) => made === (deeds[at + 1]?.was ?? revision));

/** The deeds of each resource. */
export function chainsOf(deeds: readonly Deed[]): [Deed, ...Deed[]][] {
  const chains = new Map<string, [Deed, ...Deed[]]>();
  for (const deed of deeds) {
    const key = keyOf(deed.document);
    const chain = chains.get(key);
    if (chain) chain.push(deed);
    else chains.set(key, [deed]);
  }
  return [...chains.values()].reverse();
}
