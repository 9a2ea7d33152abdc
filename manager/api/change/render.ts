/** Rendering for the API: units as nodes would render them, from what is declared or proposed, a few items at a time. */

import type { Item } from '../../../common/render/item.ts';
import { createUnitItems, shardOf, type UnitItems } from '../../../common/render/items.ts';
import type { Previous, RenderedFile, RenderedUnit } from '../../../common/render/rendered.ts';
import { createTemplates } from '../../../common/render/templates.ts';
import { failedItems, renderUnit } from '../../../common/render/unit.ts';
import type { SmallKind } from '../../../common/view.ts';
import { EvenkeelError, type Problem } from '../../../protocol/errors.ts';
import type { ResourceOf } from '../../../protocol/resource.ts';
import type { Declared } from './proposed.ts';
import type { Slices } from './slices.ts';

type Node = ResourceOf<'Node'>;
type Policy = ResourceOf<'Policy'>;

export interface RenderJob {
  policy: Policy;
  sites: readonly Item[];
  from: Declared;
  breathe: Slices;
  /** Of a file that nobody reads the text is not kept. */
  texts: boolean;
}

export interface Renderer {
  /** The unit of a policy on a node. @throws EvenkeelError render-failed with a problem for each item, timeout */
  unit(job: RenderJob, node: Node): Promise<RenderedUnit>;
}

/** Sites that are rendered before others get a turn: some milliseconds of work. */
const AT_ONCE = 150;
/** Where each site has a file of its own, all that are known are looked through each time. */
const MOST_PORTIONS = 20;
const MOST_PROBLEMS = 1000;

/** Compiled templates are kept for as long as they are declared. */
export function createRenderer(): Renderer {
  let declared: Declared | undefined;
  const templates = createTemplates((name) => declared?.of('Template').get(name)?.spec);
  return {
    unit: async (job, node) => {
      const { policy, from, breathe } = job;
      const items = createUnitItems(policy.spec.inputs, othersFor(policy, from));
      const inputs = { policy, node, cluster: from.of('Cluster').get('cluster'), templates, items };
      const done = createDone(job.texts);
      const problems: Problem[] = [];
      for await (const some of portions(job)) {
        for (const site of some) items.put(site);
        // Two changes may be rendered in turns, and the templates of one are not those of the other.
        declared = from;
        problems.push(...tried(() => done.add(renderUnit(inputs, done.previous)), items));
        if (problems.length > MOST_PROBLEMS) break;
        await breathe();
      }
      const [first] = problems;
      if (first) throw new EvenkeelError('render-failed', first.message, { problems });
      return done.unit();
    },
  };
}

/** Everything but the sites. */
function* othersFor({ spec }: Policy, from: Declared): Generator<Item> {
  for (const kind of new Set(Object.values(spec.inputs).map((input) => input.kind)))
    if (kind !== 'Site') yield* from.of(kind as SmallKind).values() as Iterable<Item>;
}

/** Portions of the sites, those of one file together: a file that is whole is not rendered again. */
async function* portions({ policy, sites, breathe }: RenderJob): AsyncGenerator<readonly Item[]> {
  const mine = takesSites(policy) ? sites : [];
  const shards = Math.max(1, ...policy.spec.files.map((file) => file.shards ?? 1));
  const files = Array.from({ length: shards }, (): Item[] => []);
  for (const site of mine) {
    files[shards === 1 ? 0 : shardOf(site.name, shards)]?.push(site);
    await breathe();
  }
  const isSharded = policy.spec.files.every((file) => file.for === undefined || file.shards !== undefined);
  const size = isSharded ? AT_ONCE : Math.max(AT_ONCE, Math.ceil(mine.length / MOST_PORTIONS));
  const inOrder = files.flat();
  for (let at = 0; at === 0 || at < inOrder.length; at += size) yield inOrder.slice(at, at + size);
}

/** What of the unit is rendered so far. */
function createDone(texts: boolean) {
  const previous = new Map<string, RenderedFile>();
  let last: RenderedUnit | undefined;
  return {
    previous: previous as Previous,
    add: (unit: RenderedUnit) => {
      last = unit;
      for (const file of unit.files)
        if (file.text !== null && file.live) previous.set(file.path, texts ? file : { ...file, text: null });
    },
    unit: (): RenderedUnit => {
      if (!last) throw new EvenkeelError('internal', 'nothing was rendered');
      const whole = ({ path, text, ...file }: RenderedFile) => ({
        ...{ ...file, path },
        text: text ?? previous.get(path)?.text ?? null,
      });
      return { ...last, files: last.files.map(whole) };
    },
  };
}

/** Items that fail are taken out again, so that the others are tried. @throws what no item causes */
function tried(render: () => void, items: UnitItems): Problem[] {
  try {
    render();
    return [];
  } catch (err) {
    if (!(err instanceof EvenkeelError)) throw err;
    const failed = failedItems(err).filter((key) => removed(key, items));
    if (failed.length === 0) throw err;
    return err.problems.filter(({ path }) => failed.includes(path));
  }
}

function removed(key: string, items: UnitItems): boolean {
  const slash = key.indexOf('/');
  return items.delete(key.slice(0, slash), key.slice(slash + 1));
}

export const takesSites = ({ spec }: Policy): boolean =>
  Object.values(spec.inputs).some(({ kind }) => kind === 'Site');
