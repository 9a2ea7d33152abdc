/** The example sites, declared once: the documents that ship, with their roots laid into the sandbox. */
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { makeFolder } from '../../common/files.ts';
import type { Layout, Product } from './layout.ts';
import { MANAGER_ADDRESS } from './members.ts';
import type { Settings } from './settings.ts';

/** Where the examples say that the shared storage is. */
const SHARED = '/srv/sites';

/** The documents as they fit this sandbox, to change and to apply. */
const documentsFile = ({ dir }: Layout): string => join(dir, 'sites.yaml');

/** Lays the example sites and their documents into the sandbox; what is there already is the operator's. */
export async function layOutSites(layout: Layout, product: Product): Promise<void> {
  await makeFolder(layout.sites);
  const from = join(product.examples, 'sites');
  if (existsSync(from)) await cp(from, layout.sites, { recursive: true, force: false });
  if (existsSync(documentsFile(layout))) return;
  const documents = (await textFor(layout, product)).replace(/^(#.*\n)+/, '');
  await writeFile(documentsFile(layout), `${HEAD}${documents}`);
}

const HEAD = `# The example sites with the roots of this sandbox: change them, and then
#   npx evenkeel apply -f var/sites.yaml --wait
`;

const textFor = async (layout: Layout, product: Product): Promise<string> =>
  (await readFile(join(product.examples, 'sites.yaml'), 'utf8')).replaceAll(SHARED, layout.sites);

/** The documents of the examples and the virtual service in front of them, on this sandbox's own ports and paths. */
export async function exampleDocuments(
  layout: Layout,
  product: Product,
  settings: Settings,
): Promise<unknown[]> {
  const sites = parseAllDocuments(await textFor(layout, product)).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as unknown;
  });
  return [...sites, virtualService(settings)];
}

const virtualService = ({ ports }: Settings) => ({
  kind: 'VirtualService',
  name: 'web',
  spec: {
    vip: MANAGER_ADDRESS,
    ports: [{ port: ports.balancer, target: ports.web }],
    scheduler: 'rr',
    pool: { role: 'web', check: 'http', probe: { type: 'http', path: '/.evenkeel/alive' } },
  },
});
