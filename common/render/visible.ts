/** What templates see of a resource: its declared structure, without what rides past files. */
import type { Item, TemplateItem } from './item.ts';

/**
 * An operator's word on a node (drain, maintenance, hold, mode) and weights never reach a file: they travel in the
 * pool's state, so that draining a node reloads nobody. Templates cannot see them, so no template can get this wrong.
 */
export function visible(item: Item): TemplateItem {
  const { kind, name } = item;
  if (item.kind === 'Node') {
    const { roles, address, address6, parameters, paths } = item.spec;
    const spec = { roles, address, ...(address6 === undefined ? {} : { address6 }), parameters, paths };
    return { kind, name, spec };
  }
  if (item.kind === 'VirtualService') {
    const { weights: _, ...spec } = item.spec;
    return { kind, name, spec };
  }
  return { kind, name, spec: item.spec };
}
