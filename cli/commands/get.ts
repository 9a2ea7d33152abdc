/** `evenkeel get`: one resource, or all of a kind. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Kind } from '../../protocol/resource.ts';
import type { StoredResource } from '../../protocol/views.ts';
import type { Client } from '../client.ts';
import { kindOf, rowsOf } from '../kinds.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';

export function addGet(program: Command): void {
  program
    .command('get')
    .description('one resource, or all of a kind')
    .argument(
      '<kind>',
      'Site, VirtualService, Node, Policy, Template, Storage or Cluster; case and plural do not matter',
    )
    .argument('[name]', 'one of them; without it all')
    .addHelpText('after', HELP)
    .action(async (kind: string, name: string | undefined, _: object, command: Command) =>
      get(kindOf(kind), name, sessionOf(command)),
    );
}

const HELP = `
-o yaml prints documents that apply takes, as they are: kind, name and spec.

Examples:
  evenkeel get sites
  evenkeel get vs web -o yaml
  evenkeel get templates vhost/nginx.conf.hbs -o json | jq -r .spec.text
`;

async function get(kind: Kind, name: string | undefined, session: Session): Promise<void> {
  if (name !== undefined) {
    const params = { kind, name };
    return printOne(await session.client.call('get', { params }), session);
  }
  const resources = await withProgress(`reading every ${kind}`, () => all(kind, session.client));
  session.print(session.output === 'yaml' ? resources.map(declared) : resources, () => {
    if (resources.length === 0) return `there is no ${kind}`;
    const { headers, rows } = rowsOf(kind, resources);
    return session.table(headers, rows);
  });
}

/** People see one resource as they would write it. */
const printOne = (resource: StoredResource, session: Session): void =>
  session.print(session.output === 'yaml' ? declared(resource) : resource, () =>
    stringify(declared(resource)),
  );

const declared = ({ kind, name, spec }: StoredResource) => ({ kind, name, spec });

async function all(kind: Kind, client: Client): Promise<StoredResource[]> {
  const resources: StoredResource[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const page = await client.call('list', {
      params: { kind },
      query: { limit: 1000, ...(after === undefined ? {} : { after }) },
    });
    resources.push(...page.items);
    after = page.next;
  }
  return resources;
}
