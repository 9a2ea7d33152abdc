/** What a template includes: the partials that it names, and all that these name in turn. Pure. */
import { createLanguage } from '../../common/render/language.ts';
import type { Table } from '../../common/view.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { TemplateSpec } from '../../protocol/resources/template.ts';

export interface Includes {
  partials: string[];
  /** Why the text does not compile, if it does not. */
  error?: string;
}

/** Specs are never changed in place, so what was read of one stays true as long as it lives. */
const read = new WeakMap<TemplateSpec, Includes>();

export function includesOf(spec: TemplateSpec): Includes {
  const known = read.get(spec);
  if (known) return known;
  const includes = parse(spec);
  read.set(spec, includes);
  return includes;
}

function parse({ syntax, text }: TemplateSpec): Includes {
  try {
    return { partials: createLanguage(syntax)(text).partials };
  } catch (err) {
    return { partials: [], error: messageOf(err) };
  }
}

/** The templates themselves and everything they reach, each once. Names that lead nowhere are in it as well. */
export function reachedFrom(names: Iterable<string>, templates: Table<{ spec: TemplateSpec }>): Set<string> {
  const reached = new Set(names);
  for (const name of reached) {
    const template = templates.get(name);
    for (const partial of template ? includesOf(template.spec).partials : []) reached.add(partial);
  }
  return reached;
}
