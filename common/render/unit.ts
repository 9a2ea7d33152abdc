/** From inputs to files: one unit rendered whole, pure; used by the agent for real and by the manager for dry runs. */
import { Compile } from 'typebox/compile';
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { canonical, keyOf, type Resource } from '../../protocol/resource.ts';
import type { PolicyFile } from '../../protocol/resources/policy.ts';
import type { TemplateSpec } from '../../protocol/resources/template.ts';
import { RelativePath } from '../../protocol/values.ts';
import { sha256 } from '../digest.ts';
import { atOnce } from '../slices.ts';
import { nodeContext, unitContext } from './context.ts';
import type { Item } from './item.ts';
import { createUnitItems, type Group, itemOf } from './items.ts';
import type { NodeContext, Previous, RenderedFile, RenderedUnit, Span, UnitInputs } from './rendered.ts';
import { failureText } from './template-error.ts';
import { createTemplates, type Template } from './templates.ts';
import { visible } from './visible.ts';

/** Stands in the tree's own files where its digest will stand, while that digest is taken. */
const PLACEHOLDER = sha256('the digest of this tree');

const isPath = Compile(RelativePath);

type LiveFile = RenderedFile & { for: string };

/**
 * Renders a unit. A live file that `previous` has under the same key is named and not rendered again.
 * @throws EvenkeelError render-failed; each of its problems that one item causes has that item's key as `path`
 */
export const renderUnit = (inputs: UnitInputs, previous: Previous = new Map()): RenderedUnit =>
  atOnce(renderSteps(inputs, previous));

/**
 * The same in steps of an item each, for who has other things to do meanwhile. Templates are looked up in the first
 * step; the items are those of the last, and nobody may change them before it.
 */
export function* renderSteps(
  inputs: UnitInputs,
  previous: Previous = new Map(),
): Generator<undefined, RenderedUnit> {
  const { policy } = inputs;
  const fixed = nodeContext(policy, inputs.node, inputs.cluster);
  const failures: Problem[] = [];
  const templates = new Map(
    policy.spec.files.map(({ template }) => [template, inputs.templates.get(template)] as const),
  );
  const given = { ...inputs, templates: { get: (name: string) => templates.get(name) as Template } };
  const live: LiveFile[] = [];
  for (const file of policy.spec.files)
    if (file.for !== undefined)
      live.push(...(yield* liveFiles(given, { ...file, for: file.for }, fixed, previous, failures)));
  live.sort(byPath);
  const drafts = ownDrafts(given, fixed, live, failures);
  refuse(policy.name, failures);
  const digest = digestOf([...live, ...drafts]);
  const files = [...live.map(({ for: _, ...file }) => file), ...drafts.map((draft) => named(draft, digest))];
  files.sort(byPath);
  refuseTwins(policy.name, files);
  return { unit: policy.name, digest, files, context: unitContext(fixed, given, live, digest) };
}

/** Inputs from plain resources, for a render without a past. */
export const unitInputs = ({
  template,
  resources,
  ...rest
}: Omit<UnitInputs, 'templates' | 'items'> & {
  template: (name: string) => TemplateSpec | undefined;
  resources: Iterable<Resource>;
}): UnitInputs => ({
  ...rest,
  templates: createTemplates(template),
  items: createUnitItems(rest.policy.spec.inputs, [...resources].map(itemOf)),
});

/** The keys of the items that a failed render names: hold them back, and the rest will render. */
export const failedItems = (error: EvenkeelError): string[] =>
  error.code === 'render-failed' ? error.problems.map(({ path }) => path).filter((path) => path !== '') : [];

// --- live files ----------------------------------------------------------------------------------------------

function* liveFiles(
  { templates, items }: UnitInputs,
  file: PolicyFile & { for: string },
  fixed: NodeContext,
  previous: Previous,
  failures: Problem[],
): Generator<undefined, LiveFile[]> {
  const template = templates.get(file.template);
  const base = sha256(`${template.digest}\n${canonical(fixed)}`).slice(0, 32);
  const renderItem = (item: Item) =>
    attempt(template, file.template, { ...fixed, ...visible(item) }, keyOf(item), failures);
  const placed = { live: true, for: file.for, ...placementOf(file) };
  const files: LiveFile[] = [];
  for (const group of items.input(file.for).groups(file.shards)) {
    const path = pathOf(file, group.label);
    const key = base + group.digest.slice(0, 32);
    const before = previous.get(path);
    if (before?.key === key) {
      files.push({ path, ...placed, name: before.name, key, hash: before.hash, text: null, spans: [] });
      continue;
    }
    const { text, spans } = yield* renderGroup(group, base, renderItem);
    const hash = sha256(text);
    files.push({ path, ...placed, name: contentName(path, hash), key, hash, text, spans });
  }
  return files;
}

/** The items of a file one after the other, with the lines of each. */
function* renderGroup(
  { items, kept }: Group,
  base: string,
  renderItem: (item: Item) => string,
): Generator<undefined, { text: string; spans: Span[] }> {
  const spans: Span[] = [];
  const texts: string[] = [];
  let line = 1;
  for (const item of items) {
    const before = kept?.get(item.name);
    const text = before?.base === base ? before.text : renderItem(item);
    // An item that failed gave nothing, and must fail again.
    if (text !== '') kept?.set(item.name, { base, text });
    const lines = countLines(text);
    if (lines > 0) spans.push({ item: keyOf(item), from: line, to: line + lines - 1 });
    texts.push(text);
    line += lines;
    yield;
  }
  return { text: texts.join(''), spans };
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

function pathOf(file: PolicyFile, label: string): string {
  const mark = file.shards === undefined ? '{{name}}' : '{{shard}}';
  return checkedPath(file.path.replaceAll(mark, label));
}

function checkedPath(path: string): string {
  if (isPath.Check(path)) return path;
  throw new EvenkeelError('render-failed', `${JSON.stringify(path)} is not a relative path`);
}

/** `sites/012.conf` → `sites/012@3f9a2c1b5d6e7f80.conf`: the name proves the content. */
function contentName(path: string, hash: string): string {
  const dot = path.lastIndexOf('.');
  const at = dot > path.lastIndexOf('/') + 1 ? dot : path.length;
  return `${path.slice(0, at)}@${hash.slice(0, 16)}${path.slice(at)}`;
}

// --- the tree's own files ------------------------------------------------------------------------------------

/** Always rendered: they are few, and they name every live file and the digest. */
function ownDrafts(
  inputs: UnitInputs,
  fixed: NodeContext,
  live: LiveFile[],
  failures: Problem[],
): RenderedFile[] {
  const context = unitContext(fixed, inputs, live, PLACEHOLDER);
  return inputs.policy.spec.files
    .filter((file) => file.for === undefined)
    .map((file) => {
      const path = checkedPath(file.path);
      const text = attempt(inputs.templates.get(file.template), file.template, context, '', failures);
      const hash = sha256(text);
      return { path, live: false, name: path, ...placementOf(file), key: hash, hash, text, spans: [] };
    });
}

/** Puts the digest where the placeholder stands. */
function named(draft: RenderedFile, digest: string): RenderedFile {
  const text = (draft.text ?? '').replaceAll(PLACEHOLDER, digest);
  return { ...draft, text, hash: sha256(text) };
}

// --- both ----------------------------------------------------------------------------------------------------

const placementOf = ({ mode, link }: PolicyFile) => ({
  mode: Number.parseInt(mode, 8),
  ...(link === undefined ? {} : { link }),
});

const byPath = (a: RenderedFile, b: RenderedFile) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

const digestOf = (files: RenderedFile[]): string =>
  sha256(
    files
      .toSorted(byPath)
      .map(({ path, hash, mode, link = '' }) => `${path} ${hash} ${mode.toString(8)} ${link}\n`)
      .join(''),
  );

/** Renders, its last line ended; a failure is noted and gives nothing. */
function attempt(
  template: Template,
  name: string,
  context: object,
  item: string,
  failures: Problem[],
): string {
  try {
    const text = template.render(context);
    return text === '' || text.endsWith('\n') ? text : `${text}\n`;
  } catch (cause) {
    failures.push({ code: 'render-failed', path: item, message: failureText(name, cause) });
    return '';
  }
}

function refuse(unit: string, problems: Problem[]): void {
  const [first, ...others] = problems;
  if (!first) return;
  const where = first.path === '' ? '' : ` for ${first.path}`;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new EvenkeelError('render-failed', `unit ${unit}${where}: ${first.message}${more}`, { problems });
}

function refuseTwins(unit: string, sorted: RenderedFile[]): void {
  const twin = sorted.find((file, at) => file.path === sorted[at - 1]?.path);
  if (twin) throw new EvenkeelError('render-failed', `unit ${unit}: two files are named ${twin.path}`);
}
