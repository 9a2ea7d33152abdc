/** A role that nobody foresaw: made from a folder of content, and from nothing else. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { policyProblems, templateProblems } from '../../../common/render/door.ts';
import {
  resolveChecks,
  resolveListens,
  resolveLoaded,
  resolveService,
  resolveValidate,
} from '../../../common/render/resolve.ts';
import { renderUnit, unitInputs } from '../../../common/render/unit.ts';
import { loadShipped } from '../../../manager/shipped.ts';
import type { ResourceOf } from '../../../protocol/resource.ts';
import { node, site } from './declared.ts';

const run = promisify(execFile);

const content = {
  'policies/static.yaml': `
kind: Policy
name: static
spec:
  role: static
  inputs: { sites: { kind: Site } }
  parameters: { port: { type: integer, default: 8000 } }
  files:
    - { template: static/site.hbs, for: sites, shards: 4, path: 'sites/{{shard}}' }
    - { template: static/served.hbs, path: served.conf }
  validate: { run: [grep, -q, '^tree {{digest}}$', '{{tree}}/served.conf'], timeout: 5s }
  service:
    name: static
    start: [staticd, '{{current}}/served.conf']
    reload: { run: [staticd, reload, '{{run}}/static.pid'] }
    pidFile: '{{run}}/static.pid'
  listens: [{ address: '{{node.address}}', port: '{{params.port}}' }]
  loaded: { http: 'http://{{node.address}}:{{params.port}}/tree' }
  checks: [{ name: alive, type: tcp, port: '{{params.port}}' }]
`,
  'templates/static/site.hbs': '{{!-- syntax: plain --}}\n{{name}} = {{spec.root}}\n',
  'templates/static/served.hbs':
    '{{!-- syntax: plain --}}\ntree {{digest}}\n{{#each files}}\nread {{place}}\n{{/each}}\n',
};

it('[2.6] a new role needs no TypeScript: a policy and a template alone render, resolve and validate', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'new-role-'));
  try {
    await writeAll(folder, content);
    const resources = await loadShipped(folder);
    const policy = resources.find(({ kind }) => kind === 'Policy') as ResourceOf<'Policy'>;
    const templates = resources.filter((one): one is ResourceOf<'Template'> => one.kind === 'Template');
    expect([...policyProblems(policy), ...templates.flatMap(templateProblems)]).toEqual([]);

    const paths = { state: folder, run: '/run/x', log: '/var/log/x' };
    const box = node({ roles: ['static'], paths });
    const template = (name: string) => templates.find((one) => one.name === name)?.spec;
    const sites = [site('a.example'), site('b.example')];
    const unit = renderUnit(unitInputs({ policy, node: box, template, resources: sites }));
    const { context, files } = unit;
    const texts = files.map(({ text }) => text).join('');
    expect(texts).toContain('a.example = /srv/sites/a.example\n');

    const place = (file: (typeof files)[number]) =>
      file.live ? join('units/static/files', file.name) : join('units/static/trees', unit.digest, file.name);
    await writeAll(folder, Object.fromEntries(files.map((file) => [place(file), file.text ?? ''])));
    const [command = '', ...args] = resolveValidate(policy, context)?.run ?? [];
    await run(command, args, { timeout: 5000 });

    expect(resolveService(policy, context)).toMatchObject({
      start: ['staticd', `${folder}/units/static/current/served.conf`],
      reload: { run: ['staticd', 'reload', '/run/x/static.pid'] },
      stop: { signal: 'SIGTERM' },
    });
    expect(resolveListens(policy, box)).toEqual([{ address: '127.0.0.11', port: 8000 }]);
    expect(resolveLoaded(policy, context)).toMatchObject({ port: 8000, path: '/tree', expect: unit.digest });
    expect(resolveChecks(policy, context)).toMatchObject([
      { type: 'tcp', address: '127.0.0.11', port: 8000 },
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function writeAll(folder: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}
