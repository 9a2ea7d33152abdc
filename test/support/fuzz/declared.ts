/** What the fuzz declares: roles with files and no daemon, and what their templates take; each version of a resource from a number. */
import { type Kind, parseResource, type ResourceOf } from '../../../protocol/resource.ts';

/** A resource through the same door as everybody's. @throws when the door refuses it */
export function declare<K extends Kind>(kind: K, name: string, spec: object): ResourceOf<K> {
  const parsed = parseResource({ kind, name, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource as ResourceOf<K>;
}

export const roles = ['pages', 'peers', 'stores', 'idle'] as const;

/** Templates by name; `mark.hbs` is in two roles, since others include it. */
export const texts: Record<string, string> = {
  'mark.hbs': '# of {{unit}} on {{node.name}}\n',
  'site.hbs':
    '{{name}} {{spec.root}} {{spec.maxBody}} {{params.tone}}\n{{#each spec.aliases}}\n  {{this}}\n{{/each}}\n',
  'pages.hbs':
    '{{> "mark.hbs"}}tree {{digest}}\n{{#each files}}\nread {{place}}\n{{/each}}\nsites {{inputs.sites.count}}\n',
  'lines.hbs': '{{#each inputs.sites.items}}\n{{name}} at {{@root.node.address}}\n{{/each}}\n',
  'peer.hbs': '{{name}} {{spec.address}} {{join spec.roles "+"}}\n',
  'peers.hbs': '{{> "mark.hbs"}}{{#each files}}\nread {{place}}\n{{/each}}\n',
  'stores.hbs':
    '{{cluster.address}} {{cluster.fallback.port}}\n{{#each inputs.stores.items}}\n{{name}} {{spec.server}}:{{spec.export}}\n{{/each}}\n',
};

export const template = (name: string, version = 0) =>
  declare('Template', name, { syntax: 'plain', text: `# version ${version}\n${texts[name]}` });

export const site = (name: string, version = 0, redirects = 0) =>
  declare('Site', name, {
    root: `/srv/${name}/${version}`,
    maxBody: `${1 + (version % 64)}m`,
    aliases: Array.from({ length: version % 4 }, (_, at) => `a${at}.${name}`),
    redirects: Array.from({ length: redirects }, (_, at) => ({ from: `/${at}/${'x'.repeat(100)}`, to: '/' })),
  });

/** So many redirects make a site that is too large to ride along with its head. */
export const MANY_REDIRECTS = 300;

export const store = (name: string, version = 0) =>
  declare('Storage', name, {
    server: '127.0.0.9',
    export: `/export/${name}`,
    mountpoint: `/mnt/${name}`,
    options: { timeo: version },
  });

export const cluster = (version = 0) =>
  declare('Cluster', 'cluster', { address: '127.0.0.1', fallback: { port: 2000 + version } });

const inputs = { sites: { kind: 'Site' } };
const tone = { tone: { type: 'string', default: 'plain' } };

/** How a policy may be at a time. */
export const policies = {
  pages: (version: number) =>
    declare('Policy', 'pages', {
      role: 'pages',
      inputs,
      parameters: { tone: { ...tone.tone, default: `t${version}` } },
      files: [
        { template: 'site.hbs', for: 'sites', shards: 4 + (version % 3), path: 'sites/{{shard}}.txt' },
        { template: 'pages.hbs', path: 'main.txt' },
      ],
    }),
  lines: (version: number) =>
    declare('Policy', 'lines', {
      role: 'pages',
      inputs,
      files: [{ template: 'lines.hbs', path: version % 2 === 0 ? 'lines.txt' : 'list/lines.txt' }],
    }),
  /** It takes sites in every other version: then all of them enter or leave its role. */
  peers: (version: number) =>
    declare('Policy', 'peers', {
      role: 'peers',
      inputs: { nodes: { kind: 'Node', role: 'pages' }, ...(version % 2 === 0 ? inputs : {}) },
      files: [
        { template: 'peer.hbs', for: 'nodes', path: 'nodes/{{name}}.txt' },
        { template: 'peers.hbs', path: 'main.txt' },
      ],
    }),
  stores: (version: number) =>
    declare('Policy', 'stores', {
      role: 'stores',
      inputs: { stores: { kind: 'Storage' } },
      files: [{ template: 'stores.hbs', path: 'stores.txt', mode: version % 2 === 0 ? '0644' : '0600' }],
    }),
};
export type PolicyName = keyof typeof policies;
export const policyNames = Object.keys(policies) as PolicyName[];
