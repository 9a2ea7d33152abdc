/** What is made of a template's syntax tree before it is compiled: calls are checked, paths strict, values escaped. */
import { TemplateError } from './template-error.ts';
import { tolerant } from './vocabulary.ts';

/** Functions that only this file calls: none of the names can be written in a template. */
export const WRITE = '$write';
export const FIELD = '$field';
export const FIELD_IF_ANY = '$fieldIfAny';

type Node = hbs.AST.Node & Record<string, unknown>;
type Path = hbs.AST.PathExpression & Node;

const blocks = new Set(['if', 'unless', 'each', 'with']);

const lineOf = (node: Node): number => node.loc.start.line;
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && 'loc' in value;
const isPath = (value: unknown): value is Path => isNode(value) && value.type === 'PathExpression';
const paramsOf = (node: Node): Node[] => node.params as Node[];

const callOf = (name: string, params: Node[], { loc }: Node): Node => ({
  type: 'SubExpression',
  path: nameNode(name, loc),
  params,
  loc,
});
const nameNode = (name: string, loc: Node['loc']): Node => ({
  type: 'PathExpression',
  original: name,
  parts: [name],
  depth: 0,
  data: false,
  loc,
});
const textNode = (value: string, { loc }: Node): Node => ({
  type: 'StringLiteral',
  value,
  original: value,
  loc,
});

/** `a.b.c` as the arguments `a "b" "c"` of a function that walks own fields alone and says which one is missing. */
function stepsOf(path: Path, strict: boolean): Node[] {
  const [first, ...names] = path.parts;
  const base: Node = Object.assign({}, path, { parts: first === undefined ? [] : [first], strict });
  return [base, ...names.map((name) => textNode(name, path))];
}

/** A path as an argument: strict, unless the function may be asked about what is missing. */
function argument(param: Node, strict: boolean): Node {
  if (!isPath(param)) return param;
  const [base, ...names] = stepsOf(param, strict);
  if (base === undefined || names.length === 0) return base ?? param;
  return callOf(strict ? FIELD : FIELD_IF_ANY, [base, ...names], param);
}

function checkCall(node: Node, functions: ReadonlySet<string>): void {
  const name = isPath(node.path) ? node.path.original : '';
  const isBlock = node.type === 'BlockStatement';
  if (!(isBlock ? blocks : functions).has(name))
    throw new TemplateError(`there is no ${isBlock ? 'block' : 'function'} ${name}`, lineOf(node));
  if (node.hash !== undefined) throw new TemplateError(`${name} takes no named arguments`, lineOf(node));
  node.params = paramsOf(node).map((param) => argument(param, !tolerant.has(name)));
}

/** `{{x}}` becomes `{{$write x}}`, so that escaping depends on the syntax and cannot be forgotten. */
function escapeMustache(node: Node, functions: ReadonlySet<string>): void {
  if (node.escaped === false) throw new TemplateError('a value must be escaped: use {{ }}', lineOf(node));
  const { path, params, hash, loc } = node;
  const isCall = paramsOf(node).length > 0 || hash !== undefined;
  const call: Node = { type: 'SubExpression', path, params, hash, loc };
  if (isCall) checkCall(call, functions);
  node.path = nameNode(WRITE, loc);
  node.params = isCall ? [call] : isPath(path) ? stepsOf(path, true) : [path];
  node.hash = undefined;
}

function partialName(node: Node): string {
  const { original } = node.name as { original?: unknown };
  if (typeof original !== 'string' || node.hash !== undefined)
    throw new TemplateError('a partial is named by its plain name', lineOf(node));
  return original;
}

/**
 * Rewrites a parsed template in place.
 * @param functions what it may call
 * @returns the partials that it names
 * @throws TemplateError
 */
export function rewrite(tree: hbs.AST.Program, functions: ReadonlySet<string>): string[] {
  const partials = new Set<string>();
  const visit = (node: Node): void => {
    if (/^Decorator|^PartialBlock/.test(node.type))
      throw new TemplateError('decorators and partial blocks are not known', lineOf(node));
    if (node.type === 'PartialStatement') partials.add(partialName(node));
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child);
    if (node.type === 'MustacheStatement') escapeMustache(node, functions);
    if (node.type === 'BlockStatement' || node.type === 'SubExpression') checkCall(node, functions);
  };
  visit(tree as unknown as Node);
  return [...partials];
}
