/** The proposed state: what is declared now with a change on top, as renders read it. */

import type { Item } from '../../../common/render/item.ts';
import type { Edit } from '../../../common/rules.ts';
import type { SmallKind, Stored, Table, View } from '../../../common/view.ts';
import { type Kind, keyOf, type Resource, type ResourceOf } from '../../../protocol/resource.ts';
import type { WriteResult } from '../../store/store.ts';
import type { ApiStore } from '../given.ts';

/** Everything declared, at one moment or after a change. */
export interface Declared {
  of<K extends SmallKind>(kind: K): Table<ResourceOf<K> & { digest: string }>;
  /** Only those that were written after a revision, where one is given. */
  sites(since?: number): Promise<Item[]>;
}

/** A resource that really changes; absent where it goes. */
export interface Changed {
  kind: Kind;
  name: string;
  /** Where it stands in the request; empty for what is pruned. */
  where: string;
  item?: Item;
}

/** Of the edits, those that the store found to change something, and what is pruned. */
export function changesOf(edits: readonly Edit[], { outcomes }: WriteResult): Changed[] {
  const byKey = new Map(edits.map((edit) => [keyOf(edit.op === 'put' ? edit.resource : edit), edit]));
  return outcomes
    .filter(({ op }) => op !== 'unchanged')
    .map((outcome) => {
      const { kind, name, digest } = outcome;
      const edit = byKey.get(keyOf(outcome));
      const item = edit?.op === 'put' ? { item: { ...(edit.resource as Resource), digest } } : {};
      return { kind, name, where: edit?.where ?? '', ...item };
    });
}

export const declaredNow = (store: ApiStore): Declared => ({
  of: <K extends SmallKind>(kind: K) => tableOf(store.view(), kind),
  sites: async (since) => {
    const items: Item[] = [];
    if (since === undefined) for await (const site of store.each('Site')) items.push(site);
    else {
      const newer = [...store.view().Site.values()].filter(({ revision }) => revision > since);
      const found = await Promise.all(newer.map(({ name }) => store.get('Site', name)));
      items.push(...found.filter((site) => site !== undefined));
    }
    return items;
  },
});

/** Reads the small kinds of what is declared when it is made; they are few, so they are copied where they change. */
export function declaredAfter(now: Declared, changes: readonly Changed[]): Declared {
  const copies = new Map<SmallKind, Table<Stored>>();
  const changesIn = (kind: Kind) => changes.filter((change) => change.kind === kind);
  const copy = (kind: SmallKind): Table<Stored> => {
    const known = copies.get(kind) ?? overlay(now.of(kind) as Table<Item>, changesIn(kind));
    copies.set(kind, known as Table<Stored>);
    return known as Table<Stored>;
  };
  return {
    of: <K extends SmallKind>(kind: K) => copy(kind) as unknown as Table<ResourceOf<K> & { digest: string }>,
    sites: async (since) => {
      const sites = new Map((await now.sites(since)).map((site) => [site.name, site]));
      return [...overlay(sites, changesIn('Site')).values()];
    },
  };
}

const tableOf = <K extends SmallKind>(view: View, kind: K) =>
  view[kind] as unknown as Table<ResourceOf<K> & { digest: string }>;

function overlay(below: Table<Item>, changes: readonly Changed[]): Table<Item> {
  if (changes.length === 0) return below;
  const above = new Map<string, Item>();
  for (const item of below.values()) above.set(item.name, item);
  for (const { name, item } of changes)
    if (item) above.set(name, item);
    else above.delete(name);
  return above;
}
