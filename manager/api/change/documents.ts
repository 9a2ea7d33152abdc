/** Documents: what people wrote, parsed into edits with every mistake at once. */
import { setImmediate } from 'node:timers/promises';
import type { Edit } from '../../../common/rules.ts';
import type { View } from '../../../common/view.ts';
import type { Problem } from '../../../protocol/errors.ts';
import { type Kind, parseResource, type Resource } from '../../../protocol/resource.ts';
import type { Caller } from '../given.ts';
import { forbiddenEdits } from './allowed.ts';
import { movedByHand } from './moved.ts';
import { refuse } from './refuse.ts';

/** Others get a turn after so many. */
const SLICE = 200;

/** @throws EvenkeelError with a problem for each mistake, its path such as `documents/3/spec/aliases/0` */
export async function editsOf(documents: unknown[], view: View, caller: Caller): Promise<Edit[]> {
  const problems: Problem[] = [];
  const edits: Edit[] = [];
  for (const [at, document] of documents.entries()) {
    const where = `documents/${at}`;
    const parsed = parseResource(withWhatIsKnown(document, view), where);
    if (parsed.ok) edits.push(putOf(parsed.resource, where, view));
    else problems.push(...parsed.problems);
    if (at % SLICE === SLICE - 1) await setImmediate();
  }
  refuse([...problems, ...forbiddenEdits(edits, caller, view), ...movedByHand(edits, view)]);
  return edits;
}

/** A move that goes on meanwhile is not put back to where it was when the document was read. */
function putOf(resource: Resource, where: string, view: View): Edit {
  const known = resource.kind === 'Storage' ? view.Storage.get(resource.name) : undefined;
  return { op: 'put', resource, where, ...(known ? { ifMatch: known.revision } : {}) };
}

/** Fields that a box or a verb has written. A document that is silent about them leaves them as they are. */
const saidElsewhere: Partial<Record<Kind, readonly string[]>> = {
  Node: ['roles', 'parameters', 'identity', 'paths', 'system', 'hold', 'drain', 'maintenance'],
  Storage: ['move'],
};

export function withWhatIsKnown(document: unknown, view: View): unknown {
  const { kind, name, spec } = fieldsOf(document);
  const known = typeof name === 'string' ? knownOf(kind, name, view) : undefined;
  if (!known || typeof spec !== 'object' || spec === null) return document;
  const kept = (saidElsewhere[kind as Kind] ?? []).filter(
    (field) => known[field] !== undefined && !(field in spec),
  );
  return {
    ...fieldsOf(document),
    spec: { ...spec, ...Object.fromEntries(kept.map((field) => [field, known[field]])) },
  };
}

function knownOf(kind: unknown, name: string, view: View): Record<string, unknown> | undefined {
  if (kind !== 'Node' && kind !== 'Storage') return undefined;
  return view[kind].get(name)?.spec;
}

const fieldsOf = (document: unknown): { kind?: unknown; name?: unknown; spec?: unknown } =>
  typeof document === 'object' && document !== null ? document : {};
