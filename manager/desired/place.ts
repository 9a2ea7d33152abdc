/** Where a problem stands: the document of the request that brought it, and the field in it. Pure. */
import { type Edit, keyOfEdit } from '../../common/rules.ts';
import type { ErrorCode, Problem } from '../../protocol/errors.ts';
import { type Kind, keyOf, type ResourceOf } from '../../protocol/resource.ts';

export interface Put<K extends Kind> {
  edit: Edit;
  resource: ResourceOf<K>;
}

/** The edits of a request by what they touch. */
export interface Touched {
  edits: readonly Edit[];
  /** The edit of `kind/name`, if there is one. */
  of(kind: Kind, name: string): Edit | undefined;
  puts<K extends Kind>(kind: K): Put<K>[];
  deletions(kind: Kind): { edit: Edit; name: string }[];
  any(...kinds: Kind[]): boolean;
}

export function touchedBy(edits: readonly Edit[]): Touched {
  const kinds = new Set(edits.map((edit) => keyOfEdit(edit).kind));
  const byKey = new Map<string, Edit>();
  // Nothing of a site is asked for by its key, and sites may be many.
  for (const edit of edits) {
    const { kind, name } = keyOfEdit(edit);
    if (kind !== 'Site') byKey.set(keyOf({ kind, name }), edit);
  }
  return {
    edits,
    of: (kind, name) => byKey.get(keyOf({ kind, name })),
    puts: <K extends Kind>(kind: K) =>
      edits.flatMap((edit) =>
        edit.op === 'put' && edit.resource.kind === kind
          ? [{ edit, resource: edit.resource as ResourceOf<K> }]
          : [],
      ),
    deletions: (kind) =>
      edits.flatMap((edit) =>
        edit.op === 'delete' && edit.kind === kind ? [{ edit, name: edit.name }] : [],
      ),
    any: (...wanted) => wanted.some((kind) => kinds.has(kind)),
  };
}

export const placeIn = (edit: Edit | undefined, field: string): string =>
  [edit?.where ?? '', field].filter((part) => part !== '').join('/');

/** A field of a document that an edit puts; of a deletion, the deletion itself. */
export function problemAt(
  edit: Edit | undefined,
  field: string,
  problem: { code: ErrorCode; message: string; value?: string; fix?: string },
): Problem {
  return { path: placeIn(edit, edit?.op === 'delete' ? '' : field), ...problem };
}
