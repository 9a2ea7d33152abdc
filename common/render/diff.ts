/** What changed in a file, for people: a unified diff, bounded in time and size. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import type { FileDiff } from '../../protocol/messages.ts';

const MOST_BYTES = 16 * 1024;
/** Beyond these a diff blocks the event loop for longer than it is worth: the file counts as replaced. */
const MOST_EDITS = 1000;
const MOST_MS = 200;

/** @param before null where there was no file; `after` null where there will be none */
export function unifiedDiff(path: string, before: string | null, after: string | null): FileDiff {
  const change = before === null ? 'added' : after === null ? 'removed' : 'modified';
  const patch = createTwoFilesPatch(path, path, before ?? '', after ?? '', undefined, undefined, {
    context: 3,
    maxEditLength: MOST_EDITS,
    timeout: MOST_MS,
    headerOptions: FILE_HEADERS_ONLY,
  });
  if (patch === undefined) return { path, change, diff: '', replaced: true };
  return { path, change, diff: cut(patch) };
}

/** Whole lines up to the bound, and a word on what is left out. */
function cut(patch: string): string {
  if (Buffer.byteLength(patch) <= MOST_BYTES) return patch;
  const lines = patch.split('\n');
  let kept = 0;
  let size = 64;
  for (const line of lines) {
    size += Buffer.byteLength(line) + 1;
    if (size > MOST_BYTES) break;
    kept += 1;
  }
  return `${lines.slice(0, kept).join('\n')}\n\\ ${lines.length - kept} more lines are not shown\n`;
}
