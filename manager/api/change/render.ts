/** Rendering for the API: units as nodes would render them, from what is declared or proposed. */

import type { Item } from '../../../common/render/item.ts';
import { createUnitItems } from '../../../common/render/items.ts';
import type { RenderedUnit } from '../../../common/render/rendered.ts';
import { createTemplates } from '../../../common/render/templates.ts';
import { renderUnit } from '../../../common/render/unit.ts';
import type { SmallKind } from '../../../common/view.ts';
import type { ResourceOf } from '../../../protocol/resource.ts';
import type { Declared } from './proposed.ts';

type Node = ResourceOf<'Node'>;
type Policy = ResourceOf<'Policy'>;

export interface Renderer {
  /** The unit of a policy on any node. @throws EvenkeelError render-failed */
  unit(policy: Policy, sites: readonly Item[], from: Declared): (node: Node) => RenderedUnit;
}

/** Compiled templates are kept for as long as they are declared. */
export function createRenderer(): Renderer {
  let declared: Declared | undefined;
  const templates = createTemplates((name) => declared?.of('Template').get(name)?.spec);
  return {
    unit: (policy, sites, from) => {
      const items = createUnitItems(policy.spec.inputs, itemsFor(policy, sites, from));
      const cluster = from.of('Cluster').get('cluster');
      return (node) => {
        declared = from;
        return renderUnit({ policy, node, cluster, templates, items });
      };
    },
  };
}

function* itemsFor({ spec }: Policy, sites: readonly Item[], from: Declared): Generator<Item> {
  for (const kind of new Set(Object.values(spec.inputs).map((input) => input.kind)))
    if (kind === 'Site') yield* sites;
    else yield* from.of(kind as SmallKind).values() as Iterable<Item>;
}

export const takesSites = ({ spec }: Policy): boolean =>
  Object.values(spec.inputs).some(({ kind }) => kind === 'Site');
