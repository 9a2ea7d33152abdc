/** Failures as people and shells see them: where, what was found, what to do, and an exit code. */
import { CommanderError } from 'commander';
import { type ErrorCode, EvenkeelError, errors, messageOf, type Problem } from '../protocol/errors.ts';
import { type ExitName, exits } from './exit-codes.ts';
import { paintFor } from './paint.ts';

/** The command line, a file or the configuration is wrong. */
export class UsageError extends Error {
  readonly fix: string | undefined;

  constructor(message: string, fix?: string) {
    super(message);
    this.name = 'UsageError';
    this.fix = fix;
  }
}

/** Said already, line by line; only the exit code is left to give. */
export class Ended extends Error {
  readonly exit: ExitName;

  constructor(exit: ExitName) {
    super(exit);
    this.name = 'Ended';
    this.exit = exit;
  }
}

const byCode: Partial<Record<ErrorCode, ExitName>> = {
  'not-found': 'notFound',
  'node-unreachable': 'unreachable',
  'stale-revision': 'stale',
  unauthenticated: 'denied',
  forbidden: 'denied',
  'rate-limited': 'denied',
  timeout: 'unfinished',
  internal: 'internal',
  'store-failed': 'internal',
  'store-damaged': 'internal',
};

export function exitCodeOf(err: unknown): number {
  if (err instanceof Ended) return exits[err.exit].code;
  if (err instanceof CommanderError) return err.exitCode === 0 ? 0 : exits.usage.code;
  if (err instanceof UsageError) return exits.usage.code;
  if (err instanceof EvenkeelError) return exits[byCode[err.code] ?? 'refused'].code;
  return exits.internal.code;
}

const MOST_SHOWN = 20;

/** @param place turns the path of a problem into one that a person finds, such as `sites.yaml:12` */
export function explain(err: unknown, place: (path: string) => string = (path) => path): string[] {
  const paint = paintFor(process.stderr);
  const head = (text: string) => `${paint('bad', 'error:')} ${text}`;
  // Commander has said what was wrong with the arguments itself.
  if (err instanceof Ended || err instanceof CommanderError) return [];
  if (err instanceof UsageError) return [head(err.message), ...fixLine(err.fix)];
  if (!(err instanceof EvenkeelError))
    return [head(err instanceof Error ? (err.stack ?? err.message) : messageOf(err))];
  const { code, problems } = err;
  if (problems.length === 0) return [head(`${err.message} (${code})`)];
  const shown = problems.slice(0, MOST_SHOWN).flatMap((problem) => linesOf(problem, place));
  const more = problems.length > MOST_SHOWN ? [`  and ${problems.length - MOST_SHOWN} more`] : [];
  return [head(`${errors[code].title} (${code})`), ...shown, ...more];
}

function linesOf({ path, value, message, fix }: Problem, place: (path: string) => string): string[] {
  const where = path === '' ? '' : `${place(path)}: `;
  const found = value === undefined ? '' : ` (found ${value})`;
  // Where the fix says it in words, the expression is noise.
  const said =
    fix === undefined ? message : message.replace(/^must match pattern .*/s, 'is not of the right form');
  return [`  ${where}${said}${found}`, ...fixLine(fix)];
}

const fixLine = (fix: string | undefined): string[] =>
  (fix?.split('\n') ?? []).map((line) => `      ${line}`);
