/** Reading refusals in tests: the problem document of an answer, checked to be one. */
import type { LightMyRequestResponse } from 'fastify';
import { expect } from 'vitest';
import type { ProblemDocument } from '../../protocol/errors.ts';

export function problemOf(answer: LightMyRequestResponse): ProblemDocument {
  expect(answer.headers['content-type'], answer.body).toMatch(/^application\/problem\+json/);
  const problem = answer.json<ProblemDocument>();
  expect(problem.status).toBe(answer.statusCode);
  expect(problem.type).toBe(`urn:evenkeel:error:${problem.code}`);
  return problem;
}

/** The paths of all that was wrong. */
export const pathsOf = (answer: LightMyRequestResponse): string[] =>
  (problemOf(answer).problems ?? []).map(({ path }) => path);
