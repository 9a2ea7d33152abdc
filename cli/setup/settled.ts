/** A setup that was killed while it declared: the journal says whether that was carried out, and who did it. */
import { keyOf } from '../../protocol/resource.ts';
import type { JournalEntry } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { isAs } from './declared.ts';
import type { Deed, Kept } from './kept.ts';

/** By `Kind/name`, oldest first. */
export type Journal = ReadonlyMap<string, JournalEntry[]>;

const PAGE = 1000;

/** What was done to some resources after a revision, up to where the journal stands now. */
export async function journalSince(
  client: Client,
  since: number,
  keys: ReadonlySet<string>,
): Promise<Journal> {
  const found = new Map<string, JournalEntry[]>();
  let end: number | undefined;
  for (let at = since; ; ) {
    const { items, revision } = await client.call('journal', { query: { since: at, limit: PAGE } });
    end ??= revision;
    for (const entry of items) {
      const key = keyOf(entry);
      if (keys.has(key)) found.set(key, [...(found.get(key) ?? []), entry]);
    }
    const last = items.at(-1)?.rev ?? end;
    if (items.length < PAGE || last >= end) return found;
    at = last;
  }
}

export const keysOf = (deeds: readonly Deed[]): Set<string> =>
  new Set(deeds.map(({ document }) => keyOf(document)));

/** What is kept, once it is known whether what was being declared is declared. */
export async function settled(client: Client, kept: Kept): Promise<Kept> {
  const { declaring, ...rest } = kept;
  if (declaring === undefined) return kept;
  const deeds = kept.deeds.slice(declaring.from);
  const journal = await journalSince(client, declaring.since, keysOf(deeds));
  return settledBy(rest, declaring, journal);
}

/** All of it is declared or nothing: the next word of each resource is then that of one write, by who declared it. Pure. */
export function settledBy(
  kept: Omit<Kept, 'declaring'>,
  { from, since, by, answers }: NonNullable<Kept['declaring']>,
  journal: Journal,
): Kept {
  const earlier = kept.deeds.slice(0, from);
  const made = kept.deeds.slice(from).map((deed) => {
    const after = Math.max(since, deed.was);
    const next = journal.get(keyOf(deed.document))?.find(({ rev }) => rev > after);
    return next?.actor === by && isWordOf(next, deed)
      ? { deed: { ...deed, made: next.rev }, at: next.at }
      : undefined;
  });
  const whole = made.filter((one) => one !== undefined);
  const isDeclared = whole.length === made.length && new Set(whole.map(({ at }) => at)).size === 1;
  if (!isDeclared) return { ...kept, deeds: earlier };
  const { answers: _, looked: __, proposed: ___, finished, ...rest } = kept;
  // The way back of a setup that was finished ends where the next one has declared something.
  const before = finished === undefined ? earlier : [];
  return { ...rest, answers: {}, declared: answers, deeds: [...before, ...whole.map(({ deed }) => deed)] };
}

/** Whether an entry says of a resource what the deed does; bodies that were pruned say nothing. */
export const isWordOf = ({ op, body }: JournalEntry, { document }: Deed): boolean =>
  op === 'put' && body !== null && isAs(document, JSON.parse(body) as object);
