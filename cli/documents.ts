/** Documents from files, folders and standard input, each with the place it came from, so that a refusal names a line. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { messageOf } from '../protocol/errors.ts';
import { UsageError } from './failure.ts';

export interface Documents {
  documents: unknown[];
  /** `documents/3/spec/root` as a person finds it: `sites.yaml:12 Site/example.org spec/root`. */
  place(path: string): string;
}

interface Read {
  document: unknown;
  source: string;
  /** The line of a field inside it; undefined where that is not known. */
  lineOf(path: string[]): number | undefined;
}

const ENDINGS = /\.(ya?ml|json)$/;

/** @param paths files, folders, or `-` for standard input. @throws UsageError for the first that cannot be read */
export function readDocuments(paths: string[]): Documents {
  const read = paths.flatMap(sourcesOf).flatMap(({ source, text }) => documentsIn(source, text));
  if (paths.length === 0)
    throw new UsageError(
      'nothing says what is to be declared',
      'give -f: a file, a folder, or - for standard input, such as -f sites.yaml',
    );
  if (read.length === 0) throw new UsageError(`no documents in ${paths.join(', ')}`);
  return { documents: read.map(({ document }) => document), place: (path) => placeOf(read, path) };
}

interface Source {
  source: string;
  text: string;
}

function sourcesOf(path: string): Source[] {
  if (path === '-')
    return [{ source: 'standard input', text: reading('standard input', () => readFileSync(0, 'utf8')) }];
  const isFolder = reading(path, () => statSync(path).isDirectory());
  if (!isFolder) return [{ source: path, text: reading(path, () => readFileSync(path, 'utf8')) }];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => ENDINGS.test(name))
    .sort()
    .map((name) => join(path, name))
    .map((file) => ({ source: file, text: reading(file, () => readFileSync(file, 'utf8')) }));
}

function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (err) {
    throw new UsageError(`${path} cannot be read: ${messageOf(err)}`);
  }
}

function documentsIn(source: string, text: string): Read[] {
  const json = /^\s*[[{]/.test(text) ? parsedJson(text) : undefined;
  const read = json ? [{ document: json.value, source, lineOf: () => undefined }] : yamlIn(source, text);
  return read.flatMap(flattened);
}

/** One JSON text, much faster than as YAML; anything else, such as many of them, is read as YAML. */
function parsedJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined; // YAML will say what is wrong, and where
  }
}

function yamlIn(source: string, text: string): Read[] {
  const lineCounter = new LineCounter();
  // Its own pretty form repeats the place and shows the line below it.
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false });
  for (const { errors } of documents)
    for (const { message, pos, code } of errors) {
      const { line, col } = lineCounter.linePos(pos[0]);
      throw new UsageError(`${source}:${line}:${col}: this is not YAML: ${message}`, hints[code]);
    }
  return documents
    .filter(({ contents }) => contents !== null && contents.range !== null)
    .map((parsed) => ({
      document: parsed.toJS() as unknown,
      source,
      lineOf: (path: string[]) => lineIn(parsed, path, lineCounter),
    }))
    .filter(({ document }) => document !== null);
}

/** What is meant most often where YAML stumbles. */
const hints: Record<string, string> = {
  BLOCK_AS_IMPLICIT_KEY: 'put a value that holds a colon and a space between quotes',
  TAB_AS_INDENT: 'indent with spaces',
  BAD_INDENT: 'close the bracket, or indent what belongs to it',
  DUPLICATE_KEY: 'keep one of them',
};

/** The line of the deepest part of the path that there is. */
function lineIn(parsed: Document.Parsed, path: string[], lines: LineCounter): number {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const keys = path.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = parsed.getIn(keys, true) as { range?: [number, number, number] } | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return lines.linePos(parsed.contents?.range[0] ?? 0).line;
}

/** A list is many documents, and so is what `get -o json` prints; its revision and digest are not declared. */
function flattened(read: Read): Read[] {
  const { document, source, lineOf } = read;
  if (Array.isArray(document))
    return document.flatMap((item: unknown, at) =>
      flattened({ document: item, source, lineOf: (path) => lineOf([String(at), ...path]) }),
    );
  if (typeof document !== 'object' || document === null) return [read];
  const { revision: _, digest: __, ...declared } = document as Record<string, unknown>;
  return [{ document: declared, source, lineOf }];
}

function placeOf(read: Read[], path: string): string {
  const [, number, rest = ''] = /^documents\/(\d+)\/?(.*)$/.exec(path) ?? [];
  const found = number === undefined ? undefined : read[Number(number)];
  if (!found) return path;
  const line = found.lineOf(rest.split('/').filter(Boolean));
  const who = whoIs(found.document) ?? `document ${Number(number) + 1}`;
  return [line === undefined ? found.source : `${found.source}:${line}`, who, rest].filter(Boolean).join(' ');
}

/** A name is shown only where it looks like one: it may be the very thing that is refused, and hold anything. */
function whoIs(document: unknown): string | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const { kind, name } = document as Record<string, unknown>;
  if (kind === undefined || name === undefined) return undefined;
  const who = `${kind}/${name}`;
  return /^[A-Za-z]+\/[\w./-]{1,253}$/.test(who) ? who : undefined;
}
