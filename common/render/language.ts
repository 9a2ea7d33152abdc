/** Our Handlebars: strict, without prototypes, every value escaped for its syntax, nothing callable but the vocabulary. */
import Handlebars from 'handlebars';
import { messageOf } from '../../protocol/errors.ts';
import { bare, type Syntax } from './escape.ts';
import { FIELD, FIELD_IF_ANY, rewrite, WRITE } from './rewrite.ts';
import { TemplateError, templateError } from './template-error.ts';
import { type TemplateFunction, vocabulary } from './vocabulary.ts';

export interface Compiled {
  /** The partials that it names. */
  partials: string[];
  /** @throws TemplateError */
  run(context: object, partials?: Record<string, Handlebars.TemplateDelegate>): string;
  /** For when this is the partial of another. */
  template: Handlebars.TemplateDelegate;
}

/** Said aloud, so that Handlebars refuses in silence and does not write to the log. */
const noPrototypes = { allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false };

const fieldIfAny: TemplateFunction = (base, ...names) => {
  let value = base;
  for (const name of names as string[]) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
};

const field: TemplateFunction = (base, ...names) => {
  const value = fieldIfAny(base, ...names);
  if (value === undefined) throw new RangeError(`"${names.join('.')}" is not there`);
  return value;
};

/** A function as Handlebars calls it: the last argument says where the call stands. */
const asHelper =
  (call: TemplateFunction): Handlebars.HelperDelegate =>
  (...given: unknown[]) => {
    const { loc } = given.pop() as { loc?: hbs.AST.SourceLocation };
    try {
      return call(...given);
    } catch (cause) {
      throw new TemplateError(messageOf(cause), loc?.start.line);
    }
  };

/** @returns a compiler for one syntax; it throws TemplateError */
export function createLanguage(syntax: Syntax): (text: string) => Compiled {
  const functions = vocabulary(syntax);
  const write: TemplateFunction = (base, ...names) =>
    bare(names.length === 0 ? base : field(base, ...names), syntax);
  const calls = { ...functions, [WRITE]: write, [FIELD]: field, [FIELD_IF_ANY]: fieldIfAny };
  const env = Handlebars.create();
  for (const [name, call] of Object.entries(calls)) env.registerHelper(name, asHelper(call));
  const options = {
    strict: true,
    // Escaping is in the tree: `rewrite` has put it there.
    noEscape: true,
    knownHelpersOnly: true,
    knownHelpers: Object.fromEntries(Object.keys(env.helpers).map((name) => [name, true])),
  };
  const allowed = new Set(Object.keys(functions));
  const compile = (text: string): Compiled => {
    const tree = env.parse(text);
    const partials = rewrite(tree, allowed);
    const template = env.compile(tree, options);
    const run: Compiled['run'] = (context, others = {}) =>
      attempt(() => template(context, { ...noPrototypes, partials: others }));
    return { partials, template, run };
  };
  return (text) => attempt(() => compile(text));
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw templateError(thrown);
  }
}
