/** A view for tests of the deciders, made from resources, and proposals on it. */
import { type Edit, keyOfEdit, type Proposal } from '../../../common/rules.ts';
import { claimsOf, type Stored, type View } from '../../../common/view.ts';
import { type Kind, kindNames, type Resource } from '../../../protocol/resource.ts';

/** Of unlike kinds only the deciders' own types matter; sites become their stubs. */
export function viewOf(...resources: Resource[]): View {
  const domains = new Map<string, string>();
  const tables = Object.fromEntries(kindNames.map((kind) => [kind, new Map<string, unknown>()])) as Record<
    Kind,
    Map<string, unknown>
  >;
  for (const [at, resource] of resources.entries()) {
    const version = { revision: at + 1, digest: String(at + 1) };
    if (resource.kind === 'Site') {
      const { aliases, defaultServer } = resource.spec;
      const stub = { kind: resource.kind, name: resource.name, aliases, defaultServer };
      tables.Site.set(resource.name, { ...stub, ...version });
      for (const claim of claimsOf(stub)) domains.set(claim, resource.name);
    } else tables[resource.kind].set(resource.name, { ...resource, ...version } satisfies Stored);
  }
  return { ...tables, domains } as unknown as View;
}

/** What a request comes to on top of what is there. */
export function proposed(existing: Resource[], edits: Edit[]): Proposal {
  const after = new Map(existing.map((resource) => [`${resource.kind}/${resource.name}`, resource]));
  for (const edit of edits) {
    const { kind, name } = keyOfEdit(edit);
    if (edit.op === 'put') after.set(`${kind}/${name}`, edit.resource);
    else after.delete(`${kind}/${name}`);
  }
  return { before: viewOf(...existing), after: viewOf(...after.values()), edits };
}
