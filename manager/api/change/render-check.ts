/** The render check: a change whose templates throw is refused here, and never reaches a node. */
import { holdsOn } from '../../../common/policies.ts';
import type { Item } from '../../../common/render/item.ts';
import type { RenderedUnit } from '../../../common/render/rendered.ts';
import { EvenkeelError, type Problem } from '../../../protocol/errors.ts';
import { keyOf, type ResourceOf } from '../../../protocol/resource.ts';
import { MOST_KERNEL_LINES } from '../../../protocol/resources/policy.ts';
import { alikeOf, type Touched, touchedUnits } from './fleet.ts';
import { type Changed, type Declared, declaredAfter } from './proposed.ts';
import type { Renderer } from './render.ts';
import type { Slices } from './slices.ts';

/** Of so many kinds of node one each is tried; of so many sites, where a template changes. */
const MOST_KINDS = 20;
export const MOST_SITES = 20_000;

export interface Trial {
  renderer: Renderer;
  breathe: Slices;
  /** With sites up to this revision the same change was tried already, and all but sites is as it was then. */
  tried?: number | undefined;
}

/**
 * Renders what changed, on one node of each kind: of a thousand new sites each once, of the others none. Where a
 * policy, a template or a node changes, all that is rendered by it is tried; a second time, what has come since.
 */
export async function renderProblems(
  changes: readonly Changed[],
  now: Declared,
  { renderer, breathe, tried }: Trial,
): Promise<Problem[]> {
  const after = declaredAfter(now, changes);
  const units = touchedUnits(changes, after);
  const changed = changes.flatMap(({ kind, item }) => (kind === 'Site' && item ? [item] : []));
  const all = units.some(({ whole }) => whole) ? (await after.sites(tried)).slice(0, MOST_SITES) : [];
  const place = placer(changes);
  const problems: Problem[] = [];
  for (const unit of units) problems.push(...(await tryUnit(unit, unit.whole ? all : changed)));
  return problems;

  async function tryUnit({ policy }: Touched, sites: readonly Item[]): Promise<Problem[]> {
    const nodes = [...after.of('Node').values()].filter(({ spec }) =>
      holdsOn(spec, after.of('Cluster').get('cluster'), policy),
    );
    const job = { policy, sites, from: after, breathe, texts: false };
    for (const node of triedOf(policy, nodes)) {
      const unit = renderer.unit(job, node);
      const found = await complaints(unit);
      if (found.length > 0) return found.map((problem) => place(problem, `${policy.name} on ${node.name}`));
      const long = tooLong(policy, node, await unit);
      if (long) return [{ ...long, path: changes[0]?.where ?? '' }];
    }
    return [];
  }
}

type Policy = Touched['policy'];
type Node = ResourceOf<'Node'>;

/** One of each kind; what is asked of a kernel differs by name and address as well, so there others are tried too. */
function triedOf({ spec }: Policy, nodes: readonly Node[]): Node[] {
  const kinds = alikeOf(nodes).map(({ node }) => node);
  const others = spec.kernel === undefined ? [] : nodes.filter((node) => !kinds.includes(node));
  return [...kinds, ...others].slice(0, MOST_KINDS);
}

/** A node refuses such a file whole, and everything in it would stay as it was. */
function tooLong({ name, spec }: Policy, node: Node, { files }: RenderedUnit): Problem | null {
  const text = files.find(({ path }) => path === spec.kernel)?.text ?? '';
  const lines = text.split('\n').length;
  if (lines <= MOST_KERNEL_LINES) return null;
  return {
    ...{ code: 'render-failed', path: '', value: String(lines) },
    message: `${name} on ${node.name}: its kernel file would have ${lines} lines, and a node takes ${MOST_KERNEL_LINES}`,
    fix: 'ask for less: fewer quotas, storages or services on one node',
  };
}

async function complaints(render: Promise<unknown>): Promise<Problem[]> {
  try {
    await render;
    return [];
  } catch (err) {
    if (!(err instanceof EvenkeelError) || err.code === 'timeout') throw err;
    return err.problems.length > 0 ? err.problems : [{ code: err.code, path: '', message: err.message }];
  }
}

/** The place in the request of the item that fails; of what no item causes, that of the template or policy that changed. */
function placer(changes: readonly Changed[]) {
  const byKey = new Map(changes.map((change) => [keyOf(change), change]));
  const texts = changes.filter(({ kind }) => kind === 'Policy' || kind === 'Template');
  /** Names may have slashes themselves. */
  const itemAt = (path: string): Changed | undefined => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const item = byKey.get(path.slice(0, end));
      if (item) return item;
    }
    return undefined;
  };
  return ({ path, message }: Problem, unit: string): Problem => {
    const item = itemAt(path);
    const text = texts.find(({ kind, name }) => kind === 'Template' && message.includes(name)) ?? texts[0];
    const rest = item ? path.slice(keyOf(item).length + 1) : '';
    return {
      code: 'render-failed',
      path: [(item ?? text ?? changes[0])?.where, rest].filter(Boolean).join('/'),
      ...(path === '' ? {} : { value: path }),
      message: `${unit}: ${message}`,
      fix: text ? 'mend the template or the policy' : 'give the values that the template needs, or mend it',
    };
  };
}
