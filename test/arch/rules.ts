/** What every source file owes its reader, one rule a function: each returns the breaches it found in one file. */
import { basename } from 'node:path';
import { childrenOf, lineOf, type Node, type Source, visit } from './source.ts';

export type Judge = (source: Source) => string[];

const longestFile = 400;
const longestFunction = 50;
const deepest = 3;

const at = (source: Source, node: { start: number }, complaint: string) =>
  `${source.path}:${lineOf(source, node.start)} ${complaint}`;

// --- the file ----------------------------------------------------------------------------------------------

/** The first thing in the file, after a hashbang, is a comment whose first sentence says what room it is. */
export const opensWithSentence: Judge = (source) => {
  const start = source.text.replace(/^#!.*\n/, (line) => ' '.repeat(line.length)).search(/\S/);
  const first = source.comments.filter((comment) => comment.start >= start)[0];
  const words = first?.start === start ? openingWords(source, start) : '';
  const isSentence = /^[A-Z`].{15,}?[.:]( |$)/.test(words);
  return isSentence ? [] : [`${source.path}: opens with no sentence that says what room it is`];
};

/** Neighbouring line comments are read as one text. */
function openingWords(source: Source, start: number): string {
  const opening = /^(\/\*[\s\S]*?\*\/|(\/\/.*\n?)+)/.exec(source.text.slice(start))?.[0] ?? '';
  return opening
    .replace(/^\/\*+|\*+\/$|^\s*\*(?!\/) ?|^\/\/ ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

export const staysShort: Judge = (source) => {
  const lines = source.text.replace(/\n$/, '').split('\n').length;
  return lines > longestFile ? [`${source.path}: ${lines} lines, more than ${longestFile}`] : [];
};

export const hasItsOwnName: Judge = ({ path }) => {
  const stem = basename(path).replace(/(\.test)?\.[a-z]+$/, '');
  const nameless = /(^|[-_.])(utils?|helpers?|misc|index)$/i.test(stem);
  return nameless ? [`${path}: "${stem}" names no room; say what is in it`] : [];
};

// --- functions ---------------------------------------------------------------------------------------------

const isFunction = ({ type }: Node) =>
  /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type);

function functionsOf(source: Source): Node[] {
  const found: Node[] = [];
  visit(source.program, (node) => {
    if (isFunction(node)) found.push(node);
  });
  return found;
}

function functionsDirectlyIn(node: Node): Node[] {
  return childrenOf(node).flatMap((child) => (isFunction(child) ? [child] : functionsDirectlyIn(child)));
}

const lineCount = (source: Source, { start, end }: Node) => source.text.slice(start, end).split('\n').length;

/**
 * A function is as long as its own lines: those of a longer function inside it are that one's own and count
 * there, so a factory is measured by its parts, and so is a `describe`.
 */
export const functionsStayShort: Judge = (source) =>
  functionsOf(source).flatMap((node) => {
    const inner = functionsDirectlyIn(node).reduce((sum, child) => sum + lineCount(source, child) - 1, 0);
    const own = lineCount(source, node) - inner;
    return own > longestFunction
      ? [at(source, node, `a function of ${own} lines, more than ${longestFunction}`)]
      : [];
  });

const indents = /^(If|For|ForIn|ForOf|While|DoWhile|Switch|Try)Statement$/;

/** Levels of control flow; `else if` stands beside its `if`, and a function inside starts again at nothing. */
function depthOf(node: Node, isElse = false): number {
  const own = indents.test(node.type) && !isElse ? 1 : 0;
  const below = childrenOf(node)
    .filter((child) => !isFunction(child))
    .map((child) =>
      depthOf(child, node.type === 'IfStatement' && child === node.alternate && child.type === node.type),
    );
  return own + Math.max(0, ...below);
}

export const functionsStayFlat: Judge = (source) =>
  functionsOf(source).flatMap((node) => {
    const depth = Math.max(0, ...childrenOf(node).map((child) => depthOf(child)));
    return depth > deepest ? [at(source, node, `${depth} levels of control flow, more than ${deepest}`)] : [];
  });

// --- what no file may say ----------------------------------------------------------------------------------

const nameOf = (node: unknown) => {
  const { name, value } = (node ?? {}) as { name?: unknown; value?: unknown };
  return typeof name === 'string' ? name : value;
};

const isMember = ({ type }: Node) => type === 'MemberExpression';

function collect(source: Source, complain: (node: Node) => string | undefined): string[] {
  const found: string[] = [];
  visit(source.program, (node) => {
    const complaint = complain(node);
    if (complaint) found.push(at(source, node, complaint));
  });
  return found;
}

/** The value given to `name`, in an object or by assignment; undefined where it is not given at all. */
function given(node: Node, name: string): Node | undefined {
  if (node.type === 'Property' && nameOf(node.key) === name) return node.value as Node;
  const left = node.left as Node | undefined;
  const assigned =
    node.type === 'AssignmentExpression' && left && isMember(left) && nameOf(left.property) === name;
  return assigned ? (node.right as Node) : undefined;
}

const strictTlsSwitch = ['NODE', 'TLS', 'REJECT', 'UNAUTHORIZED'].join('_');

export const checksEveryPeer: Judge = (source) =>
  collect(source, (node) => {
    const value = given(node, 'rejectUnauthorized');
    if (value?.value === false || value?.type === 'UnaryExpression')
      return 'accepts a peer that nobody vouches for';
    const said = [node.name, node.value, (node.value as { raw?: unknown } | null)?.raw];
    return said.includes(strictTlsSwitch) ? 'switches the verification of peers' : undefined;
  });

export const startsNoShell: Judge = (source) => [
  ...collect(source, (node) => {
    const value = given(node, 'shell');
    const on = value?.value === true || (typeof value?.value === 'string' && value.value !== '');
    if (on) return 'runs a command through a shell; give a list of arguments';
    const isExec = isMember(node) && /^exec(Sync)?$/.test(String(nameOf(node.property)));
    const ofProcesses = isExec && /^(child_?[pP]rocess|cp)$/.test(String(nameOf(node.object)));
    return ofProcesses ? 'exec runs a shell; use execFile or spawn' : undefined;
  }),
  ...source.imports
    .filter(
      ({ from, names }) =>
        /^(node:)?child_process$/.test(from) && names.some((name) => /^exec(Sync)?$/.test(name)),
    )
    .map(() => `${source.path}: exec runs a shell; use execFile or spawn`),
];

const testWords = ['it', 'test', 'describe', 'suite', 'bench'];

/** `it.concurrent.only` and `describe.each(rows).skip` count as well: the first word of the chain decides. */
function firstWord(node: Node): unknown {
  if (node.type === 'Identifier') return node.name;
  const next = (node.object ?? node.callee ?? node.tag) as Node | undefined;
  return next ? firstWord(next) : undefined;
}

export const runsEveryTest: Judge = (source) =>
  collect(source, (node) => {
    const word = isMember(node) ? nameOf(node.property) : undefined;
    const leavesOut = (word === 'only' || word === 'skip') && testWords.includes(String(firstWord(node)));
    return leavesOut ? `.${word} leaves tests out` : undefined;
  });

/** A block without a statement passes only when a comment in it gives the reason. */
function isSilent(source: Source, block: Node | undefined): boolean {
  if (block?.type !== 'BlockStatement' || (block.body as Node[]).length > 0) return false;
  return !source.comments.some(({ start, end }) => start > block.start && end < block.end);
}

export const hearsEveryError: Judge = (source) =>
  collect(source, (node) => {
    if (node.type === 'CatchClause' && isSilent(source, node.body as Node)) return 'an empty catch';
    const callee = node.callee as Node | undefined;
    if (node.type !== 'CallExpression' || !callee || !isMember(callee) || nameOf(callee.property) !== 'catch')
      return;
    const [handler] = node.arguments as Node[];
    return isSilent(source, handler?.body as Node | undefined) ? 'a catch that hears nothing' : undefined;
  });

const pure = /^(common\/health\/.*|common\/(delta|digest)|manager\/desired\/select)\.ts$/;
const clocks = /^(Date\.now|Math\.random|performance\.now)$/;
const timers = /^(setTimeout|setInterval|setImmediate)$/;

/** Deciders get the time and everything else as values, so that the same values always give the same answer. */
export const decidesByValuesAlone: Judge = (source) =>
  collect(source, (node) => {
    if (!pure.test(source.path)) return;
    const read = isMember(node) && clocks.test(`${nameOf(node.object)}.${nameOf(node.property)}`);
    const bareDate =
      node.type === 'NewExpression' && nameOf(node.callee) === 'Date' && isEmpty(node.arguments);
    const timer = node.type === 'CallExpression' && timers.test(String(nameOf(node.callee)));
    return read || bareDate || timer ? 'a decider takes clock and chance as values' : undefined;
  });

const isEmpty = (list: unknown) => Array.isArray(list) && list.length === 0;
