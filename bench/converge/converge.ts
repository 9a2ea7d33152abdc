/** The rows about one node, in their order. */
import type { Bench } from '../bench.ts';
import { median } from '../figures.ts';
import { measureAgent } from './agent.ts';
import { layouts } from './declared.ts';
import { type Measured, measureNode, type Size } from './one-node.ts';

/** A file a site is for comparison alone, and a hundred thousand of them are an hour's work for a slow disk. */
const MOST_FILES = 10_000;
/** From so many sites on, the first convergence is measured once. */
const LARGE = 100_000;
/** The budget of the first convergence is one for so many sites: fewer are shards of a site or four, which cost a file each. */
const BUDGETED = 10_000;
/** What sizes are compared with. */
const REFERENCE = 1_000;
const MOST_SITES_OF_AN_AGENT = 10_000;

export async function measureConverge(bench: Bench): Promise<void> {
  const { sizes } = bench.options;
  const changed = new Map<string, { size: Size; values: number[] }>();
  for (const sites of sizes) {
    let each: Measured | undefined;
    for (const layout of [...layouts].reverse()) {
      if (layout === 'a file a site' && sites > MOST_FILES) continue;
      const size: Size = { sites, layout, runs: sites >= LARGE ? 1 : bench.options.runs, floors: [] };
      if (each)
        size.floors.push({
          name: 'a file a site',
          files: each.files,
          budget: sites >= BUDGETED ? 1 / 4 : null,
        });
      size.floors.push({ name: layout === 'shards' ? 'the same shards' : layout, files: null, budget: null });
      const measured = await measureNode(bench, size);
      if (layout === 'a file a site') each = measured;
      changed.set(`${layout} ${sites}`, { size, values: measured.changed });
    }
  }
  addChanges(bench, changed);
  const largest = sizes.filter((sites) => sites <= MOST_SITES_OF_AN_AGENT).at(-1);
  if (largest !== undefined) await measureAgent(bench, largest);
}

/** A change must not cost much more because there are more sites: as they ship, less than double from 1,000 to 100,000. */
function addChanges(bench: Bench, changed: Map<string, { size: Size; values: number[] }>): void {
  for (const { size, values } of changed.values()) {
    const reference = changed.get(`${size.layout} ${REFERENCE}`);
    const compared = reference !== undefined && size.sites >= REFERENCE;
    bench.add({
      row: 'one site changed, delta to active tree',
      size: size.sites,
      layout: size.layout,
      value: median(values),
      unit: 'ms',
      ...(compared ? { floor: median(reference.values), floorName: 'the same with 1,000 sites' } : {}),
      ...(compared && size.layout === 'shards' ? { budget: 2 } : {}),
      runs: values,
    });
  }
}
