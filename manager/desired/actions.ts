/** Admission of actions: one way to do it, words that name parameters which are there, values that fit their own rules. Pure. */
import { patternOf } from '../../common/actions/pattern.ts';
import { valuesOf } from '../../common/actions/values.ts';
import { aloneIn, namedIn } from '../../common/actions/words.ts';
import type { Problem } from '../../protocol/errors.ts';
import type { ActionParameter, ActionSpec } from '../../protocol/resources/action.ts';
import { problemAt, type Touched } from './place.ts';

interface Wrong {
  path: string;
  message: string;
  fix: string;
}

export const actionProblems = (touched: Touched): Problem[] =>
  touched
    .puts('Action')
    .flatMap(({ edit, resource }) =>
      wrongIn(resource.spec).map(({ path, message, fix }) =>
        problemAt(edit, `spec/${path}`, { code: 'invalid-document', message, fix }),
      ),
    );

function wrongIn(spec: ActionSpec): Wrong[] {
  const commands = (['run', 'unless'] as const).flatMap((field) => wordProblems(field, spec));
  const defaults = Object.entries(spec.parameters).flatMap(([name, parameter]) =>
    ruleProblems(name, parameter),
  );
  return [
    ...waysToDo(spec),
    ...commands,
    ...unknownIn(spec.input ?? '', 'input', spec.parameters),
    ...Object.entries(spec.undo?.parameters ?? {}).flatMap(([name, word]) =>
      unknownIn(word, `undo/parameters/${name}`, spec.parameters),
    ),
    ...defaults,
  ];
}

function waysToDo({ run, do: deed, unless, input }: ActionSpec): Wrong[] {
  if ((run === undefined) === (deed === undefined))
    return [{ path: 'run', message: 'an action has either run or do', fix: 'give one of the two' }];
  if (deed !== undefined && (unless !== undefined || input !== undefined))
    return [
      { path: 'do', message: `unless and input are for run, not for do: ${deed}`, fix: 'leave them out' },
    ];
  return [];
}

function wordProblems(field: 'run' | 'unless', { [field]: words = [], parameters }: ActionSpec): Wrong[] {
  return words.flatMap((word, at): Wrong[] => {
    const path = `${field}/${at}`;
    const names = namedIn(word);
    const unknown = unknownIn(word, path, parameters);
    if (unknown.length > 0) return unknown;
    if (at === 0 && names.length > 0)
      return [{ path, message: 'the program is a parameter', fix: 'name the program itself' }];
    const isMixed = names.some((name) => parameters[name]?.type === 'list') && aloneIn(word) === undefined;
    return isMixed
      ? [{ path, message: 'a list stands with other text', fix: 'give the list a place of its own' }]
      : [];
  });
}

function unknownIn(word: string, path: string, parameters: ActionSpec['parameters']): Wrong[] {
  const unknown = namedIn(word).find((name) => !Object.hasOwn(parameters, name));
  if (unknown === undefined) return [];
  return [{ path, message: `{{${unknown}}} is no parameter`, fix: 'declare it in parameters' }];
}

function ruleProblems(name: string, parameter: ActionParameter): Wrong[] {
  const path = `parameters/${name}`;
  if ('pattern' in parameter && parameter.pattern !== undefined) {
    try {
      patternOf(parameter.pattern);
    } catch {
      return [{ path: `${path}/pattern`, message: 'is no regular expression', fix: 'mend it' }];
    }
  }
  if (parameter.default === undefined) return [];
  if (parameter.type === 'text' && parameter.secret)
    return [
      {
        path: `${path}/default`,
        message: 'a secret has a default, which everybody may read here',
        fix: 'leave it out: a secret is given with each run',
      },
    ];
  const valued = valuesOf({ [name]: parameter }, {}, 'parameters');
  return valued.ok
    ? []
    : valued.problems.map(({ message, fix = '' }) => ({ path: `${path}/default`, message, fix }));
}
