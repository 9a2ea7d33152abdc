/** Preparing a request: canonical bodies and digests, computed before the writer's queue since they depend on nothing in it. */
import { sha256 } from '../../common/digest.ts';
import type { Edit } from '../../common/rules.ts';
import { canonical, type Kind } from '../../protocol/resource.ts';
import { createBreath } from './breath.ts';
import type { WriteRequest } from './store.ts';

export interface PreparedEdit {
  edit: Edit;
  kind: Kind;
  name: string;
  /** Of a deletion: empty, and null. */
  digest: string;
  body: string | null;
}

export interface Prepared {
  request: WriteRequest;
  edits: PreparedEdit[];
  /** Only judged: nothing of it is written. */
  dry?: boolean;
}

export async function prepare(request: WriteRequest): Promise<Prepared> {
  const edits: PreparedEdit[] = [];
  const breathe = createBreath();
  for (const edit of request.edits) {
    edits.push(preparedEdit(edit));
    await breathe();
  }
  return { request, edits };
}

export function preparedEdit(edit: Edit): PreparedEdit {
  if (edit.op === 'delete') return { edit, kind: edit.kind, name: edit.name, digest: '', body: null };
  const { kind, name, spec } = edit.resource;
  const body = canonical(spec);
  return { edit, kind, name, digest: sha256(body), body };
}
