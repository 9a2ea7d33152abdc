/** The door: what could break out of a template, or makes no sense, is refused with a path before anything renders. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { policyProblems, templateProblems } from '../../../common/render/door.ts';
import { renderUnit, unitInputs } from '../../../common/render/unit.ts';
import { loadShipped } from '../../../manager/shipped.ts';
import { parseResource } from '../../../protocol/resource.ts';
import { declared, node, policy, shipped, site } from './declared.ts';

const refusedPaths = (document: unknown): string[] => {
  const parsed = parseResource(document);
  return parsed.ok ? [] : parsed.problems.map(({ path }) => path);
};
const siteWith = (spec: object, name = 'a.example') => ({
  kind: 'Site',
  name,
  spec: { root: '/srv/a', ...spec },
});

const breakouts = [
  '; return 200',
  '}',
  '{',
  '"',
  "'",
  '\n',
  '\t',
  ' ',
  '$host',
  '#',
  '\\',
  '\u0000',
  '`',
  '|',
];
const places: [string, (bad: string) => unknown][] = [
  ['name', (bad) => siteWith({}, `a${bad}.example`)],
  ['spec/aliases/1', (bad) => siteWith({ aliases: ['b.example', `c${bad}.example`] })],
  ['spec/root', (bad) => siteWith({ root: `/srv/a${bad}` })],
  ['spec/php/socket', (bad) => siteWith({ php: { socket: `/run/a${bad}` } })],
  ['spec/redirects/0/from', (bad) => siteWith({ redirects: [{ from: `/a${bad}`, to: '/b' }] })],
  ['spec/redirects/0/to', (bad) => siteWith({ redirects: [{ from: '/a', to: `/b${bad}` }] })],
  ['spec/tls/certificate', (bad) => siteWith({ tls: { certificate: `/c${bad}`, key: '/k' } })],
  ['spec/tls/key', (bad) => siteWith({ tls: { certificate: '/c', key: `/k${bad}` } })],
  ['spec/maxBody', (bad) => siteWith({ maxBody: `1m${bad}` })],
  [
    'spec/parameters/user',
    (bad) => ({
      kind: 'Node',
      name: 'n',
      spec: { address: '192.0.2.1', parameters: { user: `a${bad};` } },
    }),
  ],
  ['spec/address', (bad) => ({ kind: 'Node', name: 'n', spec: { address: `192.0.2.1${bad}` } })],
  [
    'spec/paths/run',
    (bad) => ({ kind: 'Node', name: 'n', spec: { address: '192.0.2.1', paths: { run: `/run${bad}` } } }),
  ],
  [
    'spec/pool/probe/path',
    (bad) => ({
      kind: 'VirtualService',
      name: 'v',
      spec: {
        vip: '192.0.2.1',
        ports: [80],
        pool: { role: 'web', check: 'c', probe: { path: `/${bad}` } },
      },
    }),
  ],
];

describe('[2 bad input] names, paths and numbers that would break out of a template', () => {
  it.each(places)('are refused in %s with that path', (path, document) => {
    for (const bad of breakouts) expect(refusedPaths(document(bad))).toContain(path);
  });

  it.each([
    ['spec/root', siteWith({ root: '/srv/../etc' })],
    ['spec/root', siteWith({ root: 'srv' })],
    ['spec/redirects/0/code', siteWith({ redirects: [{ from: '/a', to: '/b', code: 200 }] })],
    ['spec/redirects/0/to', siteWith({ redirects: [{ from: '/a', to: 'javascript:x' }] })],
    [
      'spec/ports/0/port',
      {
        kind: 'VirtualService',
        name: 'v',
        spec: { vip: '192.0.2.1', ports: [70000], pool: { role: 'web', check: 'c' } },
      },
    ],
    ['spec/rot', siteWith({ rot: '/srv' })],
  ])('are refused in %s', (path, document) => {
    expect(refusedPaths(document)).toContain(path);
  });

  it('are refused by the escaper as well, had they come in some other way', async () => {
    const { find, template } = await shipped();
    const good = site('a.example', { php: { socket: '/run/a' }, redirects: [{ from: '/a', to: '/b' }] });
    const planted: [string, object][] = [
      ['root', { root: '/srv; return 200' }],
      ['aliases', { aliases: ['b.example; }'] }],
      ['php', { php: { socket: '/run/a;' } }],
      ['redirects to', { redirects: [{ from: '/a', to: '/b; }', code: 301 }] }],
      ['redirects from', { redirects: [{ from: '/a%0ab', to: '/b', code: 301 }] }],
      ['redirects from', { redirects: [{ from: '/a%24host', to: '/b', code: 301 }] }],
      ['maxBody', { maxBody: '1m; }' }],
    ];
    for (const [, spec] of planted) {
      const bad = { ...good, spec: { ...good.spec, ...spec } };
      const inputs = { policy: find('Policy', 'web-nginx'), node: node(), template, resources: [bad] };
      expect(() => renderUnit(unitInputs(inputs))).toThrow(/for Site\/a.example: template .* may not stand/);
    }
  });
});

describe('[2 bad input] a policy or template that makes no sense', () => {
  const paths = (spec: object) =>
    policyProblems(policy(spec)).map(({ path, message }) => `${path}: ${message}`);
  const files = (file: object) => ({ files: [{ template: 'site.hbs', path: 'x', ...file }] });

  it.each([
    [{ listens: [{ address: '{{#if}', port: '1' }] }, /^spec\/listens\/0\/address: Parse error/],
    [
      { listens: [{ address: '{{{run}}}', port: '1' }] },
      /^spec\/listens\/0\/address: a value must be escaped/,
    ],
    [{ validate: { run: ['x'], culprit: '(' } }, /^spec\/validate\/culprit: Invalid regular expression/],
    [files({ for: 'pools', path: '{{name}}' }), /^spec\/files\/0\/for: the policy declares no input pools/],
    [files({ for: 'sites', path: 'one.conf' }), /^spec\/files\/0\/path: must hold {{name}}/],
    [files({ for: 'sites', shards: 4, path: '{{name}}' }), /^spec\/files\/0\/path: must hold {{shard}}/],
    [
      files({ for: 'sites', path: '{{name}}', link: '/etc/x' }),
      /^spec\/files\/0\/link: one place cannot lead to many/,
    ],
    [files({ path: '{{name}}' }), /^spec\/files\/0: only a file with `for`/],
    [
      { parameters: { a: { type: 'integer', default: 'x' } } },
      /^spec\/parameters\/a\/default: must be of type integer/,
    ],
    [
      { parameters: { a: { type: 'string', default: 'x', pattern: '(' } } },
      /^spec\/parameters\/a\/pattern: Invalid/,
    ],
  ])('is refused with the path: %j', (spec, message) => {
    expect(paths(spec)).toEqual([expect.stringMatching(message)]);
  });

  it('is refused for a template that does not compile', () => {
    const template = declared('Template', 'x.hbs', { syntax: 'nginx', text: 'a\n{{{b}}}\n' });
    expect(templateProblems(template)).toEqual([
      { code: 'invalid-document', path: 'spec/text', message: 'a value must be escaped: use {{ }}' },
    ]);
  });

  it('does not ship', async () => {
    const { resources } = await shipped();
    const problems = resources.flatMap((one) =>
      one.kind === 'Policy' ? policyProblems(one) : one.kind === 'Template' ? templateProblems(one) : [],
    );
    expect(problems).toEqual([]);
    expect(resources.map(({ kind }) => kind)).toContain('Policy');
  });

  it('is refused with its file when it ships from a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shipped-'));
    try {
      await mkdir(join(folder, 'policies'));
      await mkdir(join(folder, 'templates', 'x'), { recursive: true });
      await writeFile(join(folder, 'templates', 'x', 'y.hbs'), 'no syntax is said\n');
      await writeFile(
        join(folder, 'policies', 'p.yaml'),
        'kind: Policy\nname: p\nspec: { role: web, files: [] }\n',
      );
      const error: unknown = await loadShipped(folder).catch((thrown: unknown) => thrown);
      const problems = (error as { problems: { path: string }[] }).problems.map(({ path }) => path);
      expect(problems).toEqual(['templates/x/y.hbs/spec/syntax', 'policies/p.yaml/spec/files']);
      await writeFile(join(folder, 'policies', 'p.yaml'), 'kind: [\n');
      await expect(loadShipped(folder)).rejects.toThrow('policies/p.yaml');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
