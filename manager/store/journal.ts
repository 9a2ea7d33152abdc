/** Reading the journal: who changed what, when, and how each entry is linked to the one before. */
import type { JournalEntry } from '../../protocol/views.ts';
import type { Queries } from './db.ts';

/** A put makes something new where nothing was before, or where the last entry about it is a deletion. */
const did = `CASE WHEN op <> 'put' THEN op WHEN 'put' = (
    SELECT op FROM journal AS before
    WHERE before.kind = journal.kind AND before.name = journal.name AND before.rev < journal.rev
    ORDER BY before.rev DESC LIMIT 1
  ) THEN 'update' ELSE 'create' END AS did`;
const columns = `rev, epoch, at, actor, kind, name, op, ${did}, digest, chain, body`;

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
