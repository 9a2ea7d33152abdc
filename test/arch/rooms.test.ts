/** Holds every source file to the rules of the house, and proves each rule with a planted violation. */
import { describe, expect, it } from 'vitest';
import * as rules from './rules.ts';
import { listedByGit, parse, readSources } from './source.ts';

const room = '/** The room that this fixture stands for. */\n';
const lines = (count: number, line = 'x();') => Array.from({ length: count }, () => line).join('\n');
const nested = (depth: number) => `function f() {${'if (a) {'.repeat(depth)}x();${'}'.repeat(depth)}}`;

interface Case {
  name: string;
  judge: rules.Judge;
  bad: string[];
  good: string[];
  /** Where the fixtures stand; most rules hold everywhere. */
  path?: string;
}

const cases: Case[] = [
  {
    name: 'opens with a sentence that says what room it is',
    judge: rules.opensWithSentence,
    bad: [
      'const a = 1;',
      '',
      'const a = 1;\n/** The room that comes too late. */',
      '/** todo */\nx();',
      '// biome-ignore lint: no reason is given here.\nx();',
    ],
    good: [`${room}x();`, '#!/usr/bin/env node\n// The room of line comments,\n// in two lines.\nx();'],
  },
  {
    name: 'has at most 400 lines',
    judge: rules.staysShort,
    bad: [lines(401)],
    good: [lines(400), `${lines(400)}\n`],
  },
  {
    name: 'has functions of at most 50 lines, those inside them counted apart',
    judge: rules.functionsStayShort,
    bad: [
      `function f() {\n${lines(49)}\n}`,
      `const f = () => {\n${lines(49)}\n};`,
      `class A {\n  m() {\n${lines(49)}\n}\n}`,
      `describe('a', () => {\n  it('b', () => {\n${lines(49)}\n  });\n});`,
    ],
    good: [
      `function f() {\n${lines(48)}\n}`,
      `describe('a', () => {\n${lines(20, "it('b', () => {\nx();\nx();\n});")}\n});`,
      `function createA() {\nconst b = () => {\n${lines(40)}\n};\nconst c = () => {\n${lines(40)}\n};\nreturn { b, c };\n}`,
    ],
  },
  {
    name: 'nests control flow at most 3 deep',
    judge: rules.functionsStayFlat,
    bad: [
      nested(4),
      'const f = () => { for (;;) { try { while (a) { switch (b) { default: x(); } } } finally { y(); } } };',
    ],
    good: [nested(3), `function f() { if (a) x(); ${'else if (b) y(); '.repeat(9)} }`],
  },
  {
    name: 'verifies every peer',
    judge: rules.checksEveryPeer,
    bad: [
      'connect({ rejectUnauthorized: false });',
      "connect({ 'rejectUnauthorized': false });",
      'connect({ rejectUnauthorized: !strict });',
      'options.rejectUnauthorized = false;',
      `process.env.${'NODE_TLS_'}REJECT_UNAUTHORIZED = '0';`,
      `run({ env: { '${'NODE_TLS_'}REJECT_UNAUTHORIZED': '0' } });`,
    ],
    good: ['connect({ rejectUnauthorized: true });', 'connect({ ca, cert, key });'],
  },
  {
    name: 'starts no shell',
    judge: rules.startsNoShell,
    bad: [
      "spawn('ls', { shell: true });",
      "spawn('ls', { shell: '/bin/sh' });",
      "import { exec } from 'node:child_process';",
      "import { execSync as run } from 'child_process';",
      "import * as child_process from 'node:child_process';\nchild_process.exec('ls');",
    ],
    good: [
      "import { execFile } from 'node:child_process';",
      'pattern.exec(text);',
      'spawn("ls", { shell: false });',
    ],
  },
  {
    name: 'leaves no test out',
    judge: rules.runsEveryTest,
    bad: [
      "it.only('a', f);",
      "describe.skip('a', f);",
      "it.concurrent.only('a', f);",
      "test.each([1]).skip('a', f);",
    ],
    good: ["it('a', f);", "it.skipIf(notRoot)('a', f);", 'stream.skip(3);'],
  },
  {
    name: 'hears every error',
    judge: rules.hearsEveryError,
    bad: [
      'try { x(); } catch {}',
      'try { x(); } catch (error) {\n}',
      'x().catch(() => {});',
      'x().catch(function () {});',
    ],
    good: [
      'try { x(); } catch { /* it is gone already */ }',
      'x().catch(() => undefined);',
      'x().catch(report);',
    ],
  },
  {
    name: 'decides by values alone, where it is a decider',
    judge: rules.decidesByValuesAlone,
    path: 'common/health/judge.ts',
    bad: [
      'x(Date.now());',
      'x(new Date());',
      'x(Math.random());',
      'setTimeout(x, 1);',
      'x(performance.now());',
    ],
    good: ['x(new Date(at));', 'x(Math.max(a, b));', 'x(now);'],
  },
];

const nameless = [
  'common/utils.ts',
  'common/util.ts',
  'test/helper.ts',
  'cli/misc.ts',
  'agent/index.ts',
  'a/pki-utils.ts',
];

describe('every source file', () => {
  const listed = listedByGit();
  const sources = readSources(listed);

  it('is read', () => {
    expect(sources.map(({ path }) => path)).toEqual(listed);
    expect(sources.length).toBeGreaterThan(5);
  });

  it.each(cases)('$name', ({ judge }) => {
    expect(sources.flatMap(judge)).toEqual([]);
  });

  it('has a name of its own', () => {
    expect(sources.flatMap(rules.hasItsOwnName)).toEqual([]);
  });
});

describe('a planted violation is found, an innocent file is not:', () => {
  const fixtures = (kind: 'bad' | 'good') =>
    cases.flatMap(({ [kind]: texts, ...rest }) => texts.map((text, at) => ({ ...rest, text, nr: at + 1 })));
  const judged = ({
    judge,
    text,
    path = 'common/fixture.ts',
  }: { text: string } & Omit<Case, 'bad' | 'good'>) => judge(parse(path, text));

  it.each(fixtures('bad'))('$name, planted $nr', (fixture) => {
    expect(judged(fixture)).not.toEqual([]);
  });

  it.each(fixtures('good'))('$name, innocent $nr', (fixture) => {
    expect(judged(fixture)).toEqual([]);
  });

  it.each(nameless)('%s names no room', (path) => {
    expect(rules.hasItsOwnName(parse(path, room))).toHaveLength(1);
  });

  it.each(['common/digest.ts', 'test/unit/delta.test.ts'])('while %s does', (path) => {
    expect(rules.hasItsOwnName(parse(path, room))).toEqual([]);
  });
});
