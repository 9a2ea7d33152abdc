/** Running counts over an input, so that a main file can be sized for a hundred thousand items without reading them. */
import type { InputContext, Item } from './item.ts';

/** How often each key was counted; keys at zero are forgotten. */
function createHistogram<K>() {
  const counts = new Map<K, number>();
  return {
    move: (key: K, by: number) => {
      const count = (counts.get(key) ?? 0) + by;
      if (count === 0) counts.delete(key);
      else counts.set(key, count);
    },
    counts: counts as ReadonlyMap<K, number>,
  };
}

/** The name of an item and, where it has them, its aliases. */
const namesOf = ({ name, spec }: Item): string[] => ('aliases' in spec ? [name, ...spec.aliases] : [name]);

const isOn = (value: unknown): boolean =>
  value === true || (typeof value === 'object' && value !== null && Object.keys(value).length > 0);

const featuresOf = ({ spec }: Item): string[] =>
  Object.entries(spec)
    .filter(([, value]) => isOn(value))
    .map(([field]) => field);

export function createTally() {
  const lengths = createHistogram<number>();
  const features = createHistogram<string>();
  let count = 0;
  let names = 0;
  const move = (item: Item, by: 1 | -1) => {
    count += by;
    for (const name of namesOf(item)) {
      names += by;
      lengths.move(name.length, by);
    }
    for (const feature of featuresOf(item)) features.move(feature, by);
  };
  return {
    add: (item: Item) => move(item, 1),
    remove: (item: Item) => move(item, -1),
    read: (): Omit<InputContext, 'items'> => ({
      count,
      names: { count: names, longest: Math.max(0, ...lengths.counts.keys()) },
      having: Object.fromEntries([...features.counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    }),
  };
}
