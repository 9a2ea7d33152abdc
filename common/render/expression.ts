/** A policy's own expressions, such as `{{run}}/status.sock`: the same language as templates, in plain syntax. */
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { type Compiled, createLanguage } from './language.ts';

const compile = createLanguage('plain');

/** What has been compiled already: policies are few, and each pass asks for the same texts. */
const compiled = new Map<string, Compiled>();
const MOST_KEPT = 2000;

/** Renders an expression; control characters in a value are refused. @throws EvenkeelError render-failed */
export function expression(text: string, context: object): string {
  if (!text.includes('{{')) return text;
  try {
    return compiledOf(text).run(context);
  } catch (cause) {
    throw new EvenkeelError('render-failed', `${JSON.stringify(text)}: ${messageOf(cause)}`, { cause });
  }
}

function compiledOf(text: string): Compiled {
  const known = compiled.get(text) ?? compile(text);
  if (compiled.size >= MOST_KEPT) compiled.clear();
  compiled.set(text, known);
  return known;
}

/** @throws TemplateError for an expression that is not one */
export function checkExpression(text: string): void {
  compiledOf(text);
}
