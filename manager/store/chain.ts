/** The hash chain: each entry's link covers its header and the link before, so that history cannot be rewritten unseen. */
import { sha256 } from '../../common/digest.ts';
import type { JournalEntry } from '../../protocol/views.ts';

/** An entry without its body: the digest stands for it, also when the body is pruned. */
export type Header = Omit<JournalEntry, 'body' | 'did'>;

/** What the first entry is linked to; it ties the history to the cluster. */
export const genesis = (cluster: string): string => sha256(`evenkeel journal of ${cluster}`);

/** As JSON the fields cannot run into each other. */
export const linkOf = (
  previous: string,
  { rev, epoch, at, actor, kind, name, op, digest }: Omit<Header, 'chain'>,
): string => sha256(JSON.stringify([previous, rev, epoch, at, actor, kind, name, op, digest]));
