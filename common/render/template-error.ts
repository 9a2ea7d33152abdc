/** What is wrong with a template, or with what it was given, and where. */
import { messageOf } from '../../protocol/errors.ts';

export class TemplateError extends Error {
  readonly line: number | undefined;
  constructor(message: string, line?: number) {
    super(message);
    this.name = 'TemplateError';
    this.line = line;
  }
}

/** Handlebars says where both in a field and in words; the field is kept, and the words without it. */
export function templateError(thrown: unknown): TemplateError {
  if (thrown instanceof TemplateError) return thrown;
  const { lineNumber } = thrown as { lineNumber?: number };
  const inWords = /^Parse error on line (\d+)/.exec(messageOf(thrown))?.[1];
  const line = lineNumber ?? (inWords === undefined ? undefined : Number(inWords));
  const words = messageOf(thrown)
    .replaceAll('\n', ' ')
    .replace(/ - \d+:\d+$/, '')
    .replace(/ in \[object Object\]$/, '');
  return new TemplateError(words, line);
}

/** In words: `template vhost/site.conf.hbs line 12: "root" is not there`. */
export function failureText(name: string, cause: unknown): string {
  const line = cause instanceof TemplateError && cause.line !== undefined ? ` line ${cause.line}` : '';
  return `template ${name}${line}: ${messageOf(cause)}`;
}
