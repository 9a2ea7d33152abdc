/** One resource read, changed and written back, judged against the revision that was read. */
import type { Edit } from '../../../common/rules.ts';
import type { Stored } from '../../../common/view.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { type Kind, parseResource } from '../../../protocol/resource.ts';
import type { StoredResource } from '../../../protocol/views.ts';
import type { WriteRequest, WriteResult } from '../../store/store.ts';
import { type ApiStore, actorOf, type Caller } from '../given.ts';
import { forbiddenEdits } from './allowed.ts';
import { movedByHand } from './moved.ts';
import { refusalOf, refuse } from './refuse.ts';

export interface OneChange {
  kind: Kind;
  name: string;
  caller: Caller;
  /** The document that should stand there. @param known what stands there now */
  wanted: (known: Stored | undefined) => unknown;
  /** The revision that it must have, as the caller says it. @param has zero where there is none */
  ifMatch?: (has: number) => number | undefined;
  guard?: WriteRequest['guard'];
}

export interface OneChanged {
  resource: StoredResource;
  created: boolean;
  warnings: string[];
}

/** When somebody else writes between reading and writing, and the caller named no revision, it is done again. */
const TRIES = 5;

/** @throws EvenkeelError with every problem; paths such as `spec/aliases/0` */
export async function changeOne(
  { store, write }: { store: ApiStore; write: (request: WriteRequest) => Promise<WriteResult> },
  change: OneChange,
): Promise<OneChanged> {
  const { kind, name, caller, guard = 'on' } = change;
  for (let tries = 1; ; tries += 1) {
    const known = await store.get(kind, name);
    const asked = change.ifMatch?.(known?.revision ?? 0);
    const edit = editOf(change, known, asked ?? known?.revision ?? 0);
    refuse([...forbiddenEdits([edit], caller, store.view()), ...movedByHand([edit], store.view())]);
    try {
      return changed(edit, await write({ actor: actorOf(caller), edits: [edit], guard }));
    } catch (err) {
      const isStale = err instanceof EvenkeelError && err.code === 'stale-revision';
      if (!isStale || asked !== undefined || tries >= TRIES) throw err;
    }
  }
}

type Put = Extract<Edit, { op: 'put' }>;

function editOf({ kind, name, wanted }: OneChange, known: Stored | undefined, ifMatch: number): Put {
  const parsed = parseResource({ ...(wanted(known) as object), kind, name });
  if (!parsed.ok) throw refusalOf(parsed.problems);
  return { op: 'put', resource: parsed.resource, where: '', ifMatch };
}

function changed({ resource }: Put, { outcomes, warnings }: WriteResult): OneChanged {
  const [outcome] = outcomes;
  if (!outcome) throw new EvenkeelError('internal', 'the store did not say what became of the edit');
  const { revision, digest, op } = outcome;
  return { resource: { ...resource, revision, digest }, created: op === 'create', warnings };
}
