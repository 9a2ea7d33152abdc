/** Compiled templates by name, never stale: a template is compiled again when its text, or that of a partial, differs. */
import { EvenkeelError } from '../../protocol/errors.ts';
import type { TemplateSpec } from '../../protocol/resources/template.ts';
import { sha256 } from '../digest.ts';
import type { Syntax } from './escape.ts';
import { type Compiled, createLanguage } from './language.ts';
import { failureText } from './template-error.ts';

/** Rises when the same template and context may give other bytes. */
const ENGINE = 1;

export interface Template {
  /** Of the text and of all partials that it reaches. */
  digest: string;
  /** @throws TemplateError */
  render(context: object): string;
}

export interface Templates {
  /** @throws EvenkeelError render-failed when it does not exist or does not compile */
  get(name: string): Template;
}

interface Source {
  name: string;
  spec: TemplateSpec;
}

/** @param lookup the spec of a Template by name, as it is now */
export function createTemplates(lookup: (name: string) => TemplateSpec | undefined): Templates {
  const languages = new Map<Syntax, (text: string) => Compiled>();
  const known = new Map<string, { sources: Source[]; template: Template }>();
  const languageOf = (syntax: Syntax) => {
    const language = languages.get(syntax) ?? createLanguage(syntax);
    languages.set(syntax, language);
    return language;
  };
  const read = (name: string): Source => {
    const spec = lookup(name);
    if (!spec) throw new EvenkeelError('render-failed', `there is no template ${name}`);
    return { name, spec };
  };
  const compile = ({ name, spec }: Source): Compiled => {
    try {
      return languageOf(spec.syntax)(spec.text);
    } catch (cause) {
      throw new EvenkeelError('render-failed', failureText(name, cause), { cause });
    }
  };
  const build = (name: string): { sources: Source[]; template: Template } => {
    const sources: Source[] = [read(name)];
    const compiled: Record<string, Compiled> = {};
    for (const source of sources) {
      const made = compile(source);
      compiled[source.name] = made;
      const fresh = made.partials.filter((partial) => !sources.some((other) => other.name === partial));
      sources.push(...fresh.map(read));
    }
    refuseMixture(sources);
    const digest = sha256(
      JSON.stringify([ENGINE, sources.map((source) => [source.name, source.spec.syntax, source.spec.text])]),
    );
    const main = compiled[name] as Compiled;
    const partials = Object.fromEntries(Object.entries(compiled).map(([at, { template }]) => [at, template]));
    return { sources, template: { digest, render: (context) => main.run(context, partials) } };
  };
  const isFresh = ({ sources }: { sources: Source[] }) =>
    sources.every(({ name, spec }) => {
      const now = lookup(name);
      return now === spec || (now?.text === spec.text && now.syntax === spec.syntax);
    });
  return {
    get: (name) => {
      const before = known.get(name);
      if (before && isFresh(before)) return before.template;
      const made = build(name);
      known.set(name, made);
      return made.template;
    },
  };
}

/** A partial is escaped by its own syntax, so it must be that of the file. */
function refuseMixture(sources: Source[]): void {
  const [main, ...partials] = sources;
  const stranger = partials.find(({ spec }) => spec.syntax !== main?.spec.syntax);
  if (stranger)
    throw new EvenkeelError(
      'render-failed',
      `template ${main?.name} is ${main?.spec.syntax} and its partial ${stranger.name} is ${stranger.spec.syntax}`,
    );
}
