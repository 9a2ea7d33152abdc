/** The render check: a change whose templates throw is refused here, and never reaches a node. */
import type { Item } from '../../../common/render/item.ts';
import { EvenkeelError, type Problem } from '../../../protocol/errors.ts';
import { keyOf } from '../../../protocol/resource.ts';
import { alikeOf, type Touched, touchedUnits } from './fleet.ts';
import { type Changed, type Declared, declaredAfter } from './proposed.ts';
import type { Renderer } from './render.ts';

/** Of so many kinds of node one each is tried; of so many sites, where a template changes. */
const MOST_KINDS = 20;
export const MOST_SITES = 20_000;

/**
 * Renders what changed, on one node of each kind: of a thousand new sites each once, of the others none. Where a
 * policy, a template or a node changes, all that is rendered by it is tried.
 */
export async function renderProblems(
  changes: readonly Changed[],
  now: Declared,
  renderer: Renderer,
): Promise<Problem[]> {
  const after = declaredAfter(now, changes);
  const units = touchedUnits(changes, after);
  const changed = changes.flatMap(({ kind, item }) => (kind === 'Site' && item ? [item] : []));
  const all = units.some(({ whole }) => whole) ? (await after.sites()).slice(0, MOST_SITES) : [];
  return units.flatMap((unit) => tryUnit(unit, unit.whole ? all : changed));

  function tryUnit({ policy }: Touched, sites: readonly Item[]): Problem[] {
    const nodes = [...after.of('Node').values()].filter(({ spec }) => spec.roles.includes(policy.spec.role));
    const render = renderer.unit(policy, sites, after);
    for (const { node } of alikeOf(nodes).slice(0, MOST_KINDS)) {
      const problems = complaints(() => render(node));
      if (problems.length > 0)
        return problems.map((problem) => placed(problem, `${policy.name} on ${node.name}`, changes));
    }
    return [];
  }
}

function complaints(render: () => unknown): Problem[] {
  try {
    render();
    return [];
  } catch (err) {
    if (!(err instanceof EvenkeelError)) throw err;
    return err.problems.length > 0 ? err.problems : [{ code: err.code, path: '', message: err.message }];
  }
}

/** The place in the request of the item that fails; of what no item causes, that of the template or policy that changed. */
function placed({ path, message }: Problem, unit: string, changes: readonly Changed[]): Problem {
  const item = changes.find((change) => `${path}/`.startsWith(`${keyOf(change)}/`));
  const text =
    changes.find(({ kind, name }) => kind === 'Template' && message.includes(name)) ??
    changes.find(({ kind }) => kind === 'Policy' || kind === 'Template');
  const rest = item ? path.slice(keyOf(item).length + 1) : '';
  return {
    code: 'render-failed',
    path: [(item ?? text ?? changes[0])?.where, rest].filter(Boolean).join('/'),
    ...(path === '' ? {} : { value: path }),
    message: `${unit}: ${message}`,
    fix: text ? 'mend the template or the policy' : 'give the values that the template needs, or mend it',
  };
}
