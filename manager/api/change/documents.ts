/** Documents: what people wrote, parsed into edits with every mistake at once. */
import { setImmediate } from 'node:timers/promises';
import type { Edit } from '../../../common/rules.ts';
import type { View } from '../../../common/view.ts';
import type { Problem } from '../../../protocol/errors.ts';
import { parseResource } from '../../../protocol/resource.ts';
import type { Caller } from '../given.ts';
import { forbiddenEdits } from './allowed.ts';
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
    if (parsed.ok) edits.push({ op: 'put', resource: parsed.resource, where });
    else problems.push(...parsed.problems);
    if (at % SLICE === SLICE - 1) await setImmediate();
  }
  refuse([...problems, ...forbiddenEdits(edits, caller, view)]);
  return edits;
}

/** Fields of a Node that its box or a verb has written. A document that is silent about them leaves them as they are. */
const saidElsewhere = ['identity', 'paths', 'hold', 'drain', 'maintenance'] as const;

export function withWhatIsKnown(document: unknown, view: View): unknown {
  const { kind, name, spec } = fieldsOf(document);
  const known = kind === 'Node' && typeof name === 'string' ? view.Node.get(name)?.spec : undefined;
  if (!known || typeof spec !== 'object' || spec === null) return document;
  const kept = saidElsewhere.filter((field) => known[field] !== undefined && !(field in spec));
  return {
    ...fieldsOf(document),
    spec: { ...spec, ...Object.fromEntries(kept.map((field) => [field, known[field]])) },
  };
}

const fieldsOf = (document: unknown): { kind?: unknown; name?: unknown; spec?: unknown } =>
  typeof document === 'object' && document !== null ? document : {};
