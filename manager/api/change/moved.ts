/** A move of a storage is begun and ended by its verbs: a document neither makes, changes nor removes one. Pure. */
import type { Edit } from '../../../common/rules.ts';
import type { View } from '../../../common/view.ts';
import type { Problem } from '../../../protocol/errors.ts';
import { canonical } from '../../../protocol/resource.ts';

export function movedByHand(edits: readonly Edit[], view: View): Problem[] {
  return edits.flatMap((edit): Problem[] => {
    if (edit.op !== 'put' || edit.resource.kind !== 'Storage') return [];
    const { name, spec } = edit.resource;
    const known = view.Storage.get(name)?.spec.move;
    if (canonical(spec.move ?? null) === canonical(known ?? null)) return [];
    return [
      {
        code: 'storage-moving',
        path: [edit.where, 'spec/move'].filter(Boolean).join('/'),
        message: 'the move of a storage is written by the manager alone, as it goes on',
        fix: `leave spec.move out; begin a move with: evenkeel storage move ${name}, and take it back with: evenkeel storage cancel ${name}`,
      },
    ];
  });
}
