/** The items of a unit's inputs, kept so that one changed item costs one shard: put and delete, then ask for groups. */

import { EvenkeelError } from '../../protocol/errors.ts';
import { canonical, type Resource } from '../../protocol/resource.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import { sha256 } from '../digest.ts';
import type { InputContext, Item } from './item.ts';
import { createTally } from './tally.ts';
import { visible } from './visible.ts';

/** The items that share a file, sorted by name. */
export interface Group {
  /** The name of the item, or the number of the shard: what stands in the path. */
  label: string;
  /** Changes when any of the items does. */
  digest: string;
  items: readonly Item[];
  /** What the renderer made of each of very many items, by name, so that it renders the changed one alone. */
  kept?: Map<string, Part>;
}

/** The text of one item in a file; good for as long as all else that the template sees has the same digest. */
export interface Part {
  base: string;
  text: string;
}

export interface InputItems {
  get(name: string): Item | undefined;
  /** One group a shard, empty ones left out; without `shards` one group an item. */
  groups(shards?: number): readonly Group[];
  context(): InputContext;
}

/** What the inputs of one policy hold. The caller feeds it; nobody else changes it. */
export interface UnitItems {
  /** Adds or replaces. Says whether an input takes it; one that no longer fits its input leaves it. */
  put(item: Item): boolean;
  /** Says whether it was there. */
  delete(kind: string, name: string): boolean;
  input(name: string): InputItems;
}

/** A resource as an item, its digest computed. */
export const itemOf = (resource: Resource): Item => ({
  ...resource,
  digest: sha256(canonical(resource.spec)),
});

/** Which inputs of a policy take a resource. */
export const inputsFor = (inputs: PolicySpec['inputs'], resource: Resource): string[] =>
  Object.entries(inputs)
    .filter(([, { kind }]) => kind === resource.kind)
    .filter(
      ([, { role }]) =>
        role === undefined || (resource.kind === 'Node' && resource.spec.roles.includes(role)),
    )
    .map(([name]) => name);

/** The shard of a name: always the same, whatever else there is. */
export const shardOf = (name: string, shards: number): number =>
  Number.parseInt(sha256(name).slice(0, 8), 16) % shards;

const byName = (a: Item, b: Item) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** Of fewer items all are rendered again when one changes: that is done before their texts would be worth their room. */
const MANY = 100;

/** A sorted set of items whose order and digest are worked out when asked for, and only after a change. */
function createBucket(label: string) {
  const members = new Map<string, Item>();
  const kept = new Map<string, Part>();
  let known: Group | undefined;
  const groupNow = (): Group => {
    const items = [...members.values()].sort(byName);
    return {
      label,
      items,
      ...(items.length > MANY ? { kept } : {}),
      digest: sha256(items.map(({ name, digest }) => `${name}/${digest}\n`).join('')),
    };
  };
  const forget = (name: string) => {
    kept.delete(name);
    known = undefined;
  };
  return {
    put: (item: Item) => {
      members.set(item.name, item);
      forget(item.name);
    },
    delete: (name: string) => {
      members.delete(name);
      forget(name);
    },
    isEmpty: () => members.size === 0,
    group: (): Group => {
      known ??= groupNow();
      return known;
    },
  };
}

/** A fixed number of buckets, each item in that of its name. */
function createSharding(shards: number, items: Iterable<Item>) {
  const width = String(shards - 1).length;
  const buckets = Array.from({ length: shards }, (_, shard) =>
    createBucket(String(shard).padStart(width, '0')),
  );
  const bucketOf = (name: string) => buckets[shardOf(name, shards)] as (typeof buckets)[number];
  const put = (item: Item) => bucketOf(item.name).put(item);
  for (const item of items) put(item);
  return {
    put,
    delete: (name: string) => bucketOf(name).delete(name),
    groups: () => buckets.filter((bucket) => !bucket.isEmpty()).map((bucket) => bucket.group()),
  };
}

function createInput() {
  const members = new Map<string, Item>();
  const shardings = new Map<number, ReturnType<typeof createSharding>>();
  const tally = createTally();
  let sorted: Item[] | undefined;
  const itemsInOrder = () => {
    sorted ??= [...members.values()].sort(byName);
    return sorted;
  };
  const forget = (item: Item) => {
    members.delete(item.name);
    tally.remove(item);
    sorted = undefined;
    for (const sharding of shardings.values()) sharding.delete(item.name);
  };
  const put = (item: Item) => {
    const before = members.get(item.name);
    if (before) tally.remove(before);
    members.set(item.name, item);
    tally.add(item);
    sorted = undefined;
    for (const sharding of shardings.values()) sharding.put(item);
  };
  const shardingInto = (shards: number) => {
    const known = shardings.get(shards) ?? createSharding(shards, members.values());
    shardings.set(shards, known);
    return known;
  };
  return {
    put,
    delete: (name: string): boolean => {
      const before = members.get(name);
      if (before) forget(before);
      return before !== undefined;
    },
    get: (name: string) => members.get(name),
    groups: (shards?: number): readonly Group[] =>
      shards === undefined
        ? itemsInOrder().map((item) => ({ label: item.name, digest: item.digest, items: [item] }))
        : shardingInto(shards).groups(),
    context: (): InputContext => ({
      ...tally.read(),
      get items() {
        return itemsInOrder().map(visible);
      },
    }),
  };
}

/** @param inputs those of the policy; `resources` is what they hold to begin with */
export function createUnitItems(inputs: PolicySpec['inputs'], resources: Iterable<Item> = []): UnitItems {
  const byInput = new Map(Object.keys(inputs).map((name) => [name, createInput()]));
  const ofKind = (kind: string) => Object.keys(inputs).filter((name) => inputs[name]?.kind === kind);
  const put = (item: Item): boolean => {
    const takers = inputsFor(inputs, item);
    for (const name of ofKind(item.kind))
      if (takers.includes(name)) byInput.get(name)?.put(item);
      else byInput.get(name)?.delete(item.name);
    return takers.length > 0;
  };
  for (const resource of resources) put(resource);
  return {
    put,
    delete: (kind, name) =>
      ofKind(kind)
        .map((input) => byInput.get(input)?.delete(name))
        .includes(true),
    input: (name) => {
      const input = byInput.get(name);
      if (!input) throw new EvenkeelError('render-failed', `the policy declares no input ${name}`);
      return input;
    },
  };
}
