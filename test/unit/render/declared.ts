/** Resources for render tests, through the same door as everybody's. */
import { join } from 'node:path';
import { unitInputs } from '../../../common/render/unit.ts';
import { loadShipped } from '../../../manager/shipped.ts';
import { type Kind, parseResource, type Resource, type ResourceOf } from '../../../protocol/resource.ts';
import type { TemplateSpec } from '../../../protocol/resources/template.ts';

export const checkout = join(import.meta.dirname, '..', '..', '..');

/** A document as its resource; a document that is refused fails the test with all that is wrong with it. */
export function declared<K extends Kind>(kind: K, name: string, spec: object): ResourceOf<K> {
  return resourceOf({ kind, name, spec }) as ResourceOf<K>;
}

export function resourceOf(document: unknown): Resource {
  const parsed = parseResource(document);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, null, 1));
  return parsed.resource;
}

export const site = (name: string, spec: object = {}): ResourceOf<'Site'> =>
  declared('Site', name, { root: `/srv/sites/${name}`, ...spec });

export const node = (spec: object = {}, name = 'n1'): ResourceOf<'Node'> =>
  declared('Node', name, { address: '127.0.0.11', roles: ['web'], ...spec });

/** A policy of one sharded file of sites and a main file, and its templates. */
export const policy = (spec: object = {}): ResourceOf<'Policy'> =>
  declared('Policy', 'pages', {
    role: 'web',
    inputs: { sites: { kind: 'Site' } },
    files: [
      { template: 'site.hbs', for: 'sites', shards: 8, path: 'sites/{{shard}}.conf' },
      { template: 'main.hbs', path: 'main.conf' },
    ],
    ...spec,
  });

export const templates: Record<string, string> = {
  'site.hbs': 'site {{name}} {\n  root {{spec.root}};\n}\n',
  'main.hbs': '# {{digest}}\n{{#each files}}\ninclude {{place}};\n{{/each}}\nsites {{inputs.sites.count}};\n',
};

/** A lookup over texts; each is nginx unless said otherwise. */
export const lookup =
  (texts: Record<string, string> = templates, syntax: TemplateSpec['syntax'] = 'nginx') =>
  (name: string): TemplateSpec | undefined =>
    texts[name] === undefined ? undefined : { syntax, text: texts[name] };

export const inputsOf = (resources: Resource[], texts = templates, of = policy()) =>
  unitInputs({ policy: of, node: node(), template: lookup(texts), resources });

/** What ships, by key, with the lookup of its templates. */
export async function shipped() {
  const resources = await loadShipped(checkout);
  const find = <K extends Kind>(kind: K, name: string): ResourceOf<K> => {
    const found = resources.find((resource) => resource.kind === kind && resource.name === name);
    if (!found) throw new Error(`${kind}/${name} does not ship`);
    return found as ResourceOf<K>;
  };
  const template = (name: string) => find('Template', name).spec;
  return { resources, find, template };
}
