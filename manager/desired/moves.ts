/** Moves: while a storage is being moved, nobody but the job of the move says where it is. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Proposal } from '../../common/rules.ts';
import type { Problem } from '../../protocol/errors.ts';
import type { StorageMove, StoragePlace, StorageSpec } from '../../protocol/resources/storage.ts';
import { problemAt, type Touched } from './place.ts';

export function moveProblems({ before }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Storage')) return [];
  return [...before.Storage.values()].flatMap(({ name, spec: { move } }): Problem[] => {
    const edit = move && touched.of('Storage', name);
    if (!edit) return [];
    const moving = `Storage/${name} is being moved to another server (phase ${move.phase})`;
    const fix = `wait until it has moved, or take it back with: evenkeel storage cancel ${name}`;
    if (edit.op === 'delete')
      return [
        problemAt(edit, '', { code: 'storage-moving', message: `${moving} and cannot be deleted`, fix }),
      ];
    const after = edit.resource.spec as StorageSpec;
    if (isWhereItMayBe(after, move)) return [];
    const message = `${moving}; its server and export stay as they are meanwhile`;
    return [problemAt(edit, 'spec/server', { code: 'storage-moving', message, fix })];
  });
}

/** With the old server, or with the new one where that was compared and is taken by the nodes already. */
function isWhereItMayBe({ server, export: path, move }: StorageSpec, before: StorageMove): boolean {
  const isAt = (place: StoragePlace) => isDeepStrictEqual({ server, export: path }, { ...place });
  const mayBeNew = before.phase === 'switch';
  if (!move) return isAt(before.from) || (mayBeNew && isAt(before.to));
  const isSame = (['id', 'by', 'from', 'to'] as const).every((field) =>
    isDeepStrictEqual(move[field], before[field]),
  );
  if (!isSame) return false;
  return isAt(move.phase === 'switch' ? before.to : before.from);
}
