/** What can be said against a policy or a template before any node renders it. */
import { messageOf, type Problem } from '../../protocol/errors.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import type { PolicyFile, PolicySpec } from '../../protocol/resources/policy.ts';
import type { TemplateSpec } from '../../protocol/resources/template.ts';
import { parameterComplaint } from './context.ts';
import { checkExpression } from './expression.ts';
import { createLanguage } from './language.ts';

/** A template's text must compile. Whether its partials exist is seen when it is used. */
export const templateProblems = ({ spec }: { spec: TemplateSpec }): Problem[] =>
  failing('spec/text', () => createLanguage(spec.syntax)(spec.text));

/** A policy's expressions, patterns, files and defaults must make sense by themselves. */
export const policyProblems = ({ spec }: ResourceOf<'Policy'>): Problem[] => [
  ...stringsIn(spec, 'spec')
    .filter(({ path, text }) => text.includes('{{') && !isFilePath.test(path))
    .flatMap(({ path, text }) => failing(path, () => checkExpression(text))),
  ...stringsIn(spec, 'spec')
    .filter(({ path }) => isPattern.test(path))
    .flatMap(({ path, text }) => failing(path, () => new RegExp(text))),
  ...spec.files.flatMap((file, at) => fileProblems(spec, file, `spec/files/${at}`)),
  ...(spec.kernel === undefined || spec.files.some((file) => isKernelFile(file, spec.kernel))
    ? []
    : [refused('spec/kernel', `no file of the policy that stands for itself is named ${spec.kernel}`)]),
  ...(spec.expects ?? [])
    .filter((expected) => !Object.hasOwn(spec.inputs, expected.for))
    .map((expected) => refused('spec/expects', `the policy declares no input ${expected.for}`)),
  ...Object.entries(spec.parameters).flatMap(([name, declared]) => defaultProblems(declared, name)),
];

const isKernelFile = (file: PolicyFile, path: string | undefined) =>
  file.path === path && file.for === undefined;

const isFilePath = /^spec\/files\/\d+\/path$/;
const isPattern = /^spec\/(parameters\/[^/]+\/pattern|validate\/(culprit|passes|message)|checks\/\d+\/body)$/;

function fileProblems(spec: PolicySpec, file: PolicyFile, where: string): Problem[] {
  if (file.for === undefined)
    return file.shards === undefined && !file.path.includes('{{')
      ? []
      : [refused(where, 'only a file with `for` has shards or {{...}} in its path')];
  const mark = file.shards === undefined ? '{{name}}' : '{{shard}}';
  return [
    ...(Object.hasOwn(spec.inputs, file.for)
      ? []
      : [refused(`${where}/for`, `the policy declares no input ${file.for}`)]),
    ...(file.path.includes(mark)
      ? []
      : [refused(`${where}/path`, `must hold ${mark}, so that no two files have one path`)]),
    ...(file.link === undefined
      ? []
      : [refused(`${where}/link`, 'one place cannot lead to many files; link a file without `for`')]),
  ];
}

/** A default that does not fit its own declaration; a pattern that is none is told above. */
function defaultProblems(declared: PolicySpec['parameters'][string], name: string): Problem[] {
  const { pattern, ...rest } = declared;
  const sound = pattern === undefined || failing('', () => new RegExp(pattern)).length === 0;
  const message = parameterComplaint(sound ? declared : rest, declared.default as string);
  return message === undefined ? [] : [refused(`spec/parameters/${name}/default`, message)];
}

const refused = (path: string, message: string): Problem => ({ code: 'invalid-document', path, message });

function failing(path: string, work: () => unknown): Problem[] {
  try {
    work();
    return [];
  } catch (thrown) {
    return [refused(path, messageOf(thrown))];
  }
}

function stringsIn(value: unknown, path: string): { path: string; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => stringsIn(child, `${path}/${key}`));
}
