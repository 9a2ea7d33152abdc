/** Conditions: what If-Match and If-None-Match ask of the revision that is replaced. */
import type { IncomingHttpHeaders } from 'node:http';
import { EvenkeelError } from '../../../protocol/errors.ts';

export const etagOf = (revision: number): string => `"${revision}"`;

/**
 * The revision that the resource must have; zero: it must not exist; undefined: whatever it has.
 * @param has its revision now; zero where there is none
 * @throws EvenkeelError bad-request, and stale-revision where `If-Match: *` finds nothing
 */
export function wantedRevision(headers: IncomingHttpHeaders, has: number): number | undefined {
  const none = headers['if-none-match'];
  if (none !== undefined) {
    if (none.trim() === '*') return 0;
    throw new EvenkeelError('bad-request', 'If-None-Match can only be *: create, never replace');
  }
  const match = headers['if-match']?.trim();
  if (match === undefined) return undefined;
  if (match === '*') {
    if (has > 0) return has;
    throw new EvenkeelError('stale-revision', 'there is nothing to replace');
  }
  const revision = /^(?:W\/)?"?(\d{1,15})"?$/.exec(match)?.[1];
  if (revision !== undefined) return Number(revision);
  throw new EvenkeelError('bad-request', 'If-Match must be a revision, as the ETag shows it, or *');
}
