/** Whether something stands as it was declared: what others say of it, the box or a verb, counts on neither side. Pure. */
import { canonical, parseResource } from '../../protocol/resource.ts';
import type { Planned } from './documents.ts';

/** What is said of a resource by others than who declares it. */
export const saidByOthers = ['identity', 'paths', 'system', 'hold', 'drain', 'maintenance', 'move'];

type Fields = Record<string, unknown>;

const ownFields = (spec: object): Fields =>
  Object.fromEntries(Object.entries(spec).filter(([field]) => !saidByOthers.includes(field)));

export const isSame = (one: object | null, other: object | null): boolean =>
  one === null || other === null ? one === other : canonical(ownFields(one)) === canonical(ownFields(other));

/** The document with what is meant where it is silent. */
function wholeSpec(document: Planned['document']): object {
  const parsed = parseResource({ ...document, spec: ownFields(document.spec) });
  return parsed.ok ? parsed.resource.spec : document.spec;
}

export const isAs = (document: Planned['document'], spec: object | null): boolean =>
  isSame(wholeSpec(document), spec);

/** Where a spec is not as the document has it: `spec/vip`, and `spec/parameters/workers`. */
export function differingFields(document: Planned['document'], spec: object): string[] {
  const [one, other] = [ownFields(wholeSpec(document)), ownFields(spec)];
  return differing(one, other).flatMap((field) =>
    field === 'parameters'
      ? differing(one[field] as Fields, other[field] as Fields).map((name) => `spec/${field}/${name}`)
      : [`spec/${field}`],
  );
}

const differing = (one: Fields, other: Fields): string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (field) => canonical(one[field] ?? null) !== canonical(other[field] ?? null),
  );
