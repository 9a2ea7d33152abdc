/** Texts inside documents that are code of their own: templates must compile, patterns must be regular expressions. Pure. */
import type { Proposal } from '../../common/rules.ts';
import { messageOf, type Problem } from '../../protocol/errors.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import { includesOf } from './partials.ts';
import { type Put, problemAt, type Touched } from './place.ts';

export const textProblems = ({ after }: Proposal, touched: Touched): Problem[] => [
  ...touched.puts('Template').flatMap((put) => [...uncompiled(put), ...mixed(put, after)]),
  ...touched.puts('Policy').flatMap(badPatterns),
];

function uncompiled({ edit, resource }: Put<'Template'>): Problem[] {
  const { error } = includesOf(resource.spec);
  if (error === undefined) return [];
  return [problemAt(edit, 'spec/text', { code: 'render-failed', message: error, fix: 'mend the template' })];
}

/** A partial is escaped by its own syntax, so it must be that of whoever includes it. */
const mixed = ({ edit, resource }: Put<'Template'>, { Template }: Proposal['after']): Problem[] =>
  includesOf(resource.spec).partials.flatMap((name) => {
    const syntax = Template.get(name)?.spec.syntax;
    if (syntax === undefined || syntax === resource.spec.syntax) return [];
    const message = `it is ${resource.spec.syntax} and includes ${name}, which is ${syntax}`;
    return [
      problemAt(edit, 'spec/syntax', { code: 'render-failed', message, fix: 'give both the same syntax' }),
    ];
  });

const patternsOf = ({
  parameters,
  validate,
  checks,
}: PolicySpec): [field: string, pattern: string | undefined][] => [
  ...Object.entries(parameters).map(([name, { pattern }]): [string, string | undefined] => [
    `spec/parameters/${name}/pattern`,
    pattern,
  ]),
  ['spec/validate/culprit', validate?.culprit],
  ['spec/validate/passes', validate?.passes],
  ['spec/validate/message', validate?.message],
  ...checks.map((check, at): [string, string | undefined] => [
    `spec/checks/${at}/body`,
    'body' in check ? check.body : undefined,
  ]),
];

const badPatterns = ({ edit, resource }: Put<'Policy'>): Problem[] =>
  patternsOf(resource.spec).flatMap(([field, pattern]) => {
    const message = pattern === undefined ? undefined : patternComplaint(pattern);
    if (message === undefined) return [];
    return [
      problemAt(edit, field, {
        code: 'invalid-document',
        value: pattern ?? '',
        message,
        fix: 'mend the expression',
      }),
    ];
  });

/** What speaks against an expression; undefined for one that is sound. */
export function patternComplaint(pattern: string): string | undefined {
  try {
    new RegExp(pattern);
    return undefined;
  } catch (err) {
    return messageOf(err);
  }
}
