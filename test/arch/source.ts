/** The source files of this checkout, parsed: what the architecture tests look at, from disk or from a fixture. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Any node of the syntax tree; only what a rule asks for is looked at. */
export interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

export interface Import {
  /** As written: `./judge.ts`, `node:fs`, `fastify`. */
  from: string;
  names: string[];
}

export interface Source {
  path: string;
  text: string;
  program: Node;
  comments: { value: string; start: number; end: number }[];
  imports: Import[];
}

const endings = ['*.ts', '*.tsx', '*.mts', '*.mjs'];

/** Tracked files and new ones that git does not ignore; a file deleted but not yet committed is left out. */
export function listedByGit(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...endings];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  return [...new Set(listed)].filter((path) => existsSync(join(root, path))).sort();
}

export function readSources(paths: string[]): Source[] {
  return paths.map((path) => parse(path, readFileSync(join(root, path), 'utf8')));
}

/** Throws on a file that the parser cannot read, so that nothing escapes a rule by being broken. */
export function parse(path: string, text: string): Source {
  const result = parseSync(path, text, { sourceType: 'module' });
  const error = result.errors.find(({ severity }) => severity === 'Error');
  if (error) throw new Error(`${path} does not parse: ${error.message}`);
  const program = result.program as unknown as Node;
  const { staticImports, staticExports } = result.module;
  const imports: Import[] = staticImports.map(({ moduleRequest, entries }) => ({
    from: moduleRequest.value,
    names: entries.map(({ importName }) => importName.name ?? '*'),
  }));
  for (const { moduleRequest, importName } of staticExports.flatMap(({ entries }) => entries)) {
    if (moduleRequest) imports.push({ from: moduleRequest.value, names: [importName.name ?? '*'] });
  }
  imports.push(...lateImports(program));
  return { path, text, program, comments: result.comments, imports };
}

/** `import('x')` as an expression and as a type. */
function lateImports(program: Node): Import[] {
  const found: Import[] = [];
  visit(program, (node) => {
    if (node.type !== 'ImportExpression' && node.type !== 'TSImportType') return;
    const source = (node.source ?? node.argument) as Node | undefined;
    const literal = source?.type === 'TSLiteralType' ? (source.literal as Node) : source;
    if (typeof literal?.value === 'string') found.push({ from: literal.value, names: ['*'] });
  });
  return found;
}

export function childrenOf(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** Calls `see` for the node and everything below it, parents first. */
export function visit(node: Node, see: (node: Node, parents: Node[]) => void, parents: Node[] = []): void {
  see(node, parents);
  for (const child of childrenOf(node)) visit(child, see, [...parents, node]);
}

export function lineOf(source: Source, offset: number): number {
  return source.text.slice(0, offset).split('\n').length;
}
