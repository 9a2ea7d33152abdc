/** The shapes that go into a render and come out of it. */
import type { ResourceOf } from '../../protocol/resource.ts';
import type { InputContext } from './item.ts';
import type { UnitItems } from './items.ts';
import type { Templates } from './templates.ts';

export type { InputContext, Item, TemplateItem } from './item.ts';

/** Everything a unit is made of. The same inputs always give the same bytes. */
export interface UnitInputs {
  policy: ResourceOf<'Policy'>;
  node: ResourceOf<'Node'>;
  cluster?: ResourceOf<'Cluster'> | undefined;
  templates: Templates;
  items: UnitItems;
}

/** The lines of a file that come from one item, both ends included, counted from 1. `item` is `Site/example.org`. */
export interface Span {
  item: string;
  from: number;
  to: number;
}

export interface RenderedFile {
  /** As the policy names it: `sites/012.conf`. */
  path: string;
  /** A live file is shared by trees and lies at `<folder>/files/<name>`; any other belongs to its tree alone. */
  live: boolean;
  /** The name on disk: `sites/012@3f9a2c1b5d6e7f80.conf` for a live file, the path itself for the tree's own. */
  name: string;
  mode: number;
  /** A fixed place that gets a link to this file in the active tree. */
  link?: string;
  /** Two renders with the same key give the same bytes. */
  key: string;
  /** SHA-256 of the bytes. */
  hash: string;
  /** Null when `previous` has this file under the same key, so that it was not rendered again. */
  text: string | null;
  spans: Span[];
}

/** What an earlier render of the unit said of its files, by path; leave one out to have it rendered again. */
export type Previous = ReadonlyMap<string, Pick<RenderedFile, 'key' | 'hash' | 'name'>>;

export interface RenderedUnit {
  unit: string;
  /** Names the tree: SHA-256 over path, content, mode and link of every file. */
  digest: string;
  /** Sorted by path. */
  files: RenderedFile[];
  /** What the policy's own expressions are rendered with. */
  context: Context;
}

/** What a policy's expressions and the tree's own templates may name. */
export interface Context extends NodeContext {
  digest: string;
  /** `<folder>/trees/<digest>` */
  tree: string;
  /** The live files, sorted by path; `place` is absolute. */
  files: { path: string; place: string; for: string }[];
  inputs: Record<string, InputContext>;
}

/** The part that depends on the node alone: what item templates may name besides their item. */
export interface NodeContext {
  unit: string;
  node: { name: string; address: string; address6?: string; roles: string[] };
  params: Record<string, string | number | boolean>;
  cluster?: { address: string; balancer: string; fallback: { port: number } };
  state: string;
  run: string;
  log: string;
  /** `<state>/units/<unit>` */
  folder: string;
  /** `<folder>/current`, the link to the active tree. */
  current: string;
}
