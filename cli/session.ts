/** One run of a command: the client, found on first use, and the form in which answers are printed. */
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { clean } from './clean.ts';
import { type Client, createClient } from './client.ts';
import { findManager, type Given } from './find.ts';
import { type Paint, paintFor } from './paint.ts';
import { type Cell, table } from './table.ts';

export const outputs = ['table', 'json', 'yaml'] as const;
export type Output = (typeof outputs)[number];

export interface Session {
  /** @throws UsageError when no manager is found */
  readonly client: Client;
  output: Output;
  paint: Paint;
  /** Prints a value for programs, or what `people` makes of it for people. */
  print(value: unknown, people: () => string): void;
  /** A table in the look of this terminal. */
  table(headers: string[], rows: Cell[][]): string;
  /** Prints a line for people; programs do not get it. */
  say(line: string): void;
  /** Prints on standard error, for people and programs alike. */
  warn(line: string): void;
  /** A remark on standard error, beside what people read; programs do not get it. */
  note(line: string): void;
}

/** What every command takes. */
export interface Globals extends Given {
  output: Output;
}

export function parseOutput(text: string): Output {
  const known = outputs.find((output) => output === text);
  if (known) return known;
  throw new InvalidArgumentError(`use one of ${outputs.join(', ')}`);
}

export function sessionOf(command: Command): Session {
  const { output, ...given } = command.optsWithGlobals<Globals>();
  const { stdout, stderr } = process;
  const paint = paintFor(stdout);
  const look = { paint, width: stdout.isTTY ? stdout.columns : undefined };
  let found: Client | undefined;
  return {
    get client() {
      found ??= createClient(findManager(given, { cwd: process.cwd(), env: process.env }));
      return found;
    },
    output,
    paint,
    table: (headers, rows) => table(headers, rows, look),
    print: (value, people) => {
      const text =
        output === 'table' ? people() : output === 'json' ? JSON.stringify(value, null, 2) : yamlOf(value);
      if (text !== '') stdout.write(output === 'table' ? clean(ended(text)) : ended(text));
    },
    say: (line) => {
      if (output === 'table') stdout.write(clean(`${line}\n`));
    },
    note: (line) => {
      if (output === 'table') stderr.write(clean(`${paintFor(stderr)('dim', line)}\n`));
    },
    warn: (line) => {
      stderr.write(clean(`${paintFor(stderr)('warn', 'warning:')} ${line}\n`));
    },
  };
}

/** A list becomes many documents, so that what is read can be applied again. */
const yamlOf = (value: unknown): string =>
  Array.isArray(value) ? value.map((item) => stringify(item)).join('---\n') : stringify(value);

const ended = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);
