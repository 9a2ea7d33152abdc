/** What is declared for the one node of these benchmarks: the shipped policy for sites, in two layouts, and its templates. */
import { join } from 'node:path';
import { loadShipped } from '../../manager/shipped.ts';
import { parseResource, type Resource, type ResourceOf } from '../../protocol/resource.ts';

/** As the policy ships, many sites share a file. The other layout is only for comparison with tools that write a file a site. */
export const layouts = ['shards', 'a file a site'] as const;
export type Layout = (typeof layouts)[number];

export const UNIT = 'web-nginx';
export const NODE = 'web1';
export const ADDRESS = '127.0.0.1';

export interface Declared {
  policy: ResourceOf<'Policy'>;
  templates: ResourceOf<'Template'>[];
  node: ResourceOf<'Node'>;
}

export const pathsIn = (folder: string) => ({
  state: join(folder, 'state'),
  run: join(folder, 'run'),
  log: join(folder, 'log'),
});

/** Root's nginx would give its workers to a user who cannot read the folders of a checkout. */
export const parametersFor = (port: number) => ({
  httpPort: port,
  workers: '1',
  ...(process.getuid?.() === 0 ? { user: 'root' } : {}),
});

/** @param port where the sites would be served */
export async function declaredIn(folder: string, layout: Layout, port: number): Promise<Declared> {
  const shipped = await loadShipped(process.cwd());
  const policy = shipped.find(({ kind, name }) => kind === 'Policy' && name === UNIT);
  if (policy?.kind !== 'Policy') throw new Error(`no policy ${UNIT} ships`);
  const spec = {
    roles: ['web'],
    address: ADDRESS,
    paths: pathsIn(folder),
    parameters: parametersFor(port),
  };
  return {
    policy: layout === 'shards' ? policy : withFileForEach(policy),
    templates: shipped.filter((resource): resource is ResourceOf<'Template'> => resource.kind === 'Template'),
    node: parsed({ kind: 'Node', name: NODE, spec }) as ResourceOf<'Node'>,
  };
}

function withFileForEach(policy: ResourceOf<'Policy'>): ResourceOf<'Policy'> {
  const files = policy.spec.files.map(({ shards: _, ...file }) =>
    file.for === undefined ? file : { ...file, path: file.path.replace('{{shard}}', '{{name}}') },
  );
  return { ...policy, spec: { ...policy.spec, files } };
}

function parsed(document: unknown): Resource {
  const result = parseResource(document);
  if (result.ok) return result.resource;
  throw new Error(result.problems.map(({ path, message }) => `${path} ${message}`).join('; '));
}
