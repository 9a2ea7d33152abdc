/** Proves the import law on every source file, and proves each rule of it with a planted violation. */
import { describe, expect, it } from 'vitest';
import { breaches, cycles } from './law.ts';
import { listedByGit, parse, readSources } from './source.ts';

/** A small tree in memory: each file with the lines that it consists of. */
const plant = (files: Record<string, string>) =>
  Object.entries(files).map(([path, text]) => parse(path, text));

const edge = (from: string, to: string, specifier: string) =>
  plant({ [from]: `import { x } from '${specifier}';\nexport const y = x;`, [to]: 'export const x = 1;' });

const forbidden: [from: string, to: string, specifier: string, reason: RegExp][] = [
  ['protocol/a.ts', 'common/b.ts', '../common/b.ts', /stands alone/],
  ['common/a.ts', 'manager/store/b.ts', '../manager/store/b.ts', /may know neither/],
  ['common/a.ts', 'agent/state/b.ts', '../agent/state/b.ts', /may know neither/],
  ['manager/store/a.ts', 'manager/desired/b.ts', '../desired/b.ts', /knows nobody above/],
  ['manager/desired/a.ts', 'manager/store/b.ts', '../store/b.ts', /take values/],
  ['manager/health/a.ts', 'manager/store/b.ts', '../store/b.ts', /take values/],
  ['manager/pool/a.ts', 'manager/broker/b.ts', '../broker/b.ts', /take values/],
  ['manager/broker/a.ts', 'manager/api/b.ts', '../api/b.ts', /starts nothing else/],
  ['manager/api/a.ts', 'manager/broker/b.ts', '../broker/b.ts', /handed to it/],
  ['manager/pki/a.ts', 'manager/api/b.ts', '../api/b.ts', /without a row/],
  ['manager/manager.ts', 'agent/state/b.ts', '../agent/state/b.ts', /nothing of the agent/],
  ['manager/main.ts', 'agent/state/b.ts', '../agent/state/b.ts', /nothing of the agent/],
  ['manager/api/a.ts', 'manager/manager.ts', '../manager.ts', /built in one place/],
  ['agent/converge/a.ts', 'agent/link/b.ts', '../link/b.ts', /with or without a link/],
  ['agent/link/a.ts', 'agent/converge/b.ts', '../converge/b.ts', /look again/],
  ['agent/drift/a.ts', 'agent/converge/b.ts', '../converge/b.ts', /mends nothing/],
  ['agent/queue/a.ts', 'agent/converge/b.ts', '../converge/b.ts', /told what to run/],
  ['agent/drivers/a.ts', 'agent/state/b.ts', '../state/b.ts', /without a row/],
  ['agent/agent.ts', 'manager/store/b.ts', '../manager/store/b.ts', /nothing of the manager/],
  ['agent/main.ts', 'manager/store/b.ts', '../manager/store/b.ts', /nothing of the manager/],
  ['agent/link/a.ts', 'agent/agent.ts', '../agent.ts', /built in one place/],
  ['cli/a.ts', 'manager/manager.ts', '../manager/manager.ts', /built in one place/],
  ['cli/a.ts', 'manager/store/b.ts', '../manager/store/b.ts', /as any client/],
  ['cli/a.ts', 'agent/state/b.ts', '../agent/state/b.ts', /as any client/],
  ['console/a.ts', 'cli/b.ts', '../cli/b.ts', /as any client/],
  ['bin/a.mjs', 'cli/b.ts', '../cli/b.ts', /builds and then runs/],
  ['manager/api/a.ts', 'test/b.ts', '../../test/b.ts', /handed to it/],
];

const permitted: [from: string, to: string, specifier: string][] = [
  ['common/a.ts', 'protocol/b.ts', '../protocol/b.ts'],
  ['manager/api/routes/a.ts', 'manager/store/b.ts', '../../store/b.ts'],
  ['manager/broker/a.ts', 'manager/desired/b.ts', '../desired/b.ts'],
  ['manager/main.ts', 'manager/manager.ts', './manager.ts'],
  ['manager/manager.ts', 'manager/pool/b.ts', './pool/b.ts'],
  ['agent/converge/a.ts', 'agent/drivers/b.ts', '../drivers/b.ts'],
  ['agent/box.ts', 'agent/agent.ts', './agent.ts'],
  ['test/integration/a.ts', 'manager/manager.ts', '../../manager/manager.ts'],
  ['bench/a.ts', 'agent/agent.ts', '../agent/agent.ts'],
];

describe('the import law', () => {
  const listed = listedByGit();
  const sources = readSources(listed);

  it('is judged on as many files as git lists, and on some', () => {
    expect(sources.map(({ path }) => path)).toEqual(listed);
    expect(sources.length).toBeGreaterThan(5);
  });

  it('is broken by no file', () => {
    expect(breaches(sources)).toEqual([]);
  });

  it('leaves no cycle', () => {
    expect(cycles(sources)).toEqual([]);
  });
});

describe('a planted violation of the import law', () => {
  it.each(forbidden)('%s may not import %s', (from, to, specifier, reason) => {
    expect(breaches(edge(from, to, specifier))).toEqual([expect.stringMatching(reason)]);
  });

  it.each(permitted)('while %s may import %s', (from, to, specifier) => {
    expect(breaches(edge(from, to, specifier))).toEqual([]);
  });

  it.each([
    ['a type', "import type { x } from '../link/b.ts';"],
    ['a re-export', "export * from '../link/b.ts';"],
    ['a late import', "export const late = () => import('../link/b.ts');"],
    ['an imported type expression', "export type X = import('../link/b.ts').X;"],
    ['a bare import', "import '../link/b.ts';"],
  ])('is seen in %s', (_, line) => {
    const sources = plant({ 'agent/converge/a.ts': line, 'agent/link/b.ts': 'export const x = 1;' });
    expect(breaches(sources)).toHaveLength(1);
  });

  it.each([
    ['agent/state/a.ts', 'sqlite3', /only the manager is native/],
    ['manager/api/a.ts', 'sqlite3', /one file writes/],
    ['agent/link/a.ts', 'aedes', /dial out/],
    ['cli/a.ts', 'fastify', /dial out/],
    ['common/health/judge.ts', 'node:fs', /deciders are pure/],
    ['manager/desired/select.ts', 'node:timers', /deciders are pure/],
  ])('%s may not use %s', (path, name, reason) => {
    expect(breaches([parse(path, `import '${name}';`)])).toEqual([expect.stringMatching(reason)]);
  });

  it('is an import that leads nowhere', () => {
    expect(breaches([parse('common/a.ts', "import './gone.ts';")])).toEqual([
      expect.stringContaining('no such file'),
    ]);
  });

  it('is a cycle, of two files or of three', () => {
    const two = plant({ 'common/a.ts': "import './b.ts';", 'common/b.ts': "import type {} from './a.ts';" });
    expect(cycles(two)).toEqual(['common/a.ts -> common/b.ts -> common/a.ts']);
    const three = plant({
      'common/a.ts': "import './b.ts';",
      'common/b.ts': "import './c.ts';",
      'common/c.ts': "export * from './a.ts';",
    });
    expect(cycles(three)).toHaveLength(1);
  });

  it('is a file that the parser cannot read', () => {
    expect(() => parse('common/a.ts', 'const = ;')).toThrow(/does not parse/);
  });
});
