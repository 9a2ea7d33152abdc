/** Reading the journal: who changed what, when, and how each entry is linked to the one before. */
import type { JournalEntry } from '../../protocol/views.ts';
import type { Queries } from './db.ts';

const columns = 'rev, epoch, at, actor, kind, name, op, digest, chain, body';

/** Oldest first: those after `since`, or the newest. */
export async function readJournal(
  read: Pick<Queries, 'all'>,
  { since, limit }: { since?: number | undefined; limit: number },
): Promise<JournalEntry[]> {
  if (since !== undefined)
    return read.all(`SELECT ${columns} FROM journal WHERE rev > ? ORDER BY rev LIMIT ?`, since, limit);
  const newest = await read.all<JournalEntry>(
    `SELECT ${columns} FROM journal ORDER BY rev DESC LIMIT ?`,
    limit,
  );
  return newest.reverse();
}
