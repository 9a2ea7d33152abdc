/** An item: a resource that a unit is made from, as the renderer keeps it and as templates see it. */
import type { Resource } from '../../protocol/resource.ts';

/** A resource whose digest is known already, as the desired state keeps it. */
export type Item = Resource & { digest: string };

/** What is known of an input as a whole. */
export interface InputContext {
  count: number;
  /** Names and aliases together, and the length of the longest. */
  names: { count: number; longest: number };
  /** How many items have each of the optional fields, or have a switch turned on: `having.tls`. */
  having: Record<string, number>;
  /** Sorted by name. */
  items: readonly TemplateItem[];
}

/** An item as templates see it. */
export interface TemplateItem {
  kind: string;
  name: string;
  spec: object;
}
