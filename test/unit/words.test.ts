/** What is wrong with an input, in words: every rule that has a pattern says it so that nobody has to read the pattern. */
import { describe, expect, it } from 'vitest';
import { api, type Endpoint } from '../../protocol/endpoints.ts';
import { documentSchema, kindNames, parseResource } from '../../protocol/resource.ts';

const endpoints = Object.values(api) as Endpoint[];
const schemas: unknown[] = [
  ...kindNames.map(documentSchema),
  ...endpoints.flatMap(({ params, query, body }) => [params, query, body]),
];

interface Ruled {
  pattern: string;
  'x-rule'?: string;
  'x-fix'?: string;
}

/** Every schema inside that has a pattern. */
function ruled(schema: unknown): Ruled[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own = typeof (schema as Ruled).pattern === 'string' ? [schema as Ruled] : [];
  return [...own, ...Object.values(schema).flatMap(ruled)];
}

const problemsOf = (document: object) => {
  const parsed = parseResource(document);
  return parsed.ok ? [] : parsed.problems;
};

describe('[2 bad input] in words', () => {
  it('every pattern stands beside what it allows and how to mend what it refuses', () => {
    const all = schemas.flatMap(ruled);
    expect(all.length).toBeGreaterThan(20);
    for (const { pattern, 'x-rule': rule, 'x-fix': fix } of all)
      expect([rule, fix], pattern).toEqual([expect.stringMatching(/^(?:An?|The) /), expect.any(String)]);
  });

  it('a refusal says the rule, the value and the fix, and never a pattern', () => {
    const problems = problemsOf({
      ...{ kind: 'Site', name: 'A_B' },
      spec: {
        root: 'relative',
        maxBody: '32',
        aliases: ['*', 7],
        redirects: [{ from: '/', to: 'x', code: 1 }],
      },
    });
    expect(problems.length).toBeGreaterThan(5);
    for (const { path, value, message, fix } of problems) {
      expect([value, fix], path).not.toContain(undefined);
      expect(message, path).not.toMatch(/pattern|\^|\[a-z/);
    }
    expect(problems).toContainEqual({
      ...{
        code: 'invalid-document',
        path: 'spec/root',
        value: '"relative"',
        message: 'must be an absolute path',
      },
      fix: expect.stringContaining('use an absolute path'),
    });
    expect(problems).toContainEqual(
      expect.objectContaining({ message: 'must be one of 301, 302, 307, 308' }),
    );
    expect(problems).toContainEqual(
      expect.objectContaining({ path: 'spec/aliases/1', message: 'must be a text' }),
    );
  });

  it('a choice names its values, and a number its bounds', () => {
    const spec = { address: '192.0.2.1', mode: 'on', weight: 1000, roles: ['a', 'a'] };
    expect(problemsOf({ kind: 'Node', name: 'n', spec })).toMatchObject([
      { path: 'spec/roles', message: 'must not name one thing twice' },
      { path: 'spec/mode', message: 'must be one of enforce, audit' },
      { path: 'spec/weight', fix: 'use a whole number from 1 to 256' },
    ]);
  });
});
