/** The values of an action's parameters: what somebody gave, checked and with the defaults filled in. Pure. */
import type { Problem } from '../../protocol/errors.ts';
import { meantHint } from '../../protocol/nearest.ts';
import type { ActionParameter, ActionSpec } from '../../protocol/resources/action.ts';
import { fitOf } from './pattern.ts';

export type ActionValue = string | number | string[];
export type ActionValues = Record<string, ActionValue>;

export type Valued = { ok: true; values: ActionValues } | { ok: false; problems: Problem[] };

type Parameters = ActionSpec['parameters'];
type TextRules = Extract<ActionParameter, { type: 'text' }>;
type ListRules = Extract<ActionParameter, { type: 'list' }>;

interface Wrong {
  message: string;
  fix: string;
}

/**
 * @param given by name; a text where an integer or a list is wanted is read as one (`3`; `a,b`)
 * @param where prefix of the paths in the problems, such as `parameters`
 */
export function valuesOf(parameters: Parameters, given: Record<string, unknown>, where: string): Valued {
  const problems: Problem[] = [];
  const refuse = (name: string, { message, fix }: Wrong) =>
    problems.push({ code: 'invalid-document', path: `${where}/${name}`, message, fix });
  const names = Object.keys(parameters);
  for (const name of Object.keys(given)) if (!names.includes(name)) refuse(name, unknownName(name, names));
  const values: ActionValues = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    // Only what was given: every object has a `constructor`.
    const value = (Object.hasOwn(given, name) ? given[name] : undefined) ?? parameter.default;
    if (value === undefined) {
      refuse(name, {
        message: 'is missing',
        fix: `give ${name}=${exampleOf(parameter)}${isSecret(parameter) ? `, or --from-file ${name}=PATH: the words of a command line are seen by others` : ''}`,
      });
      continue;
    }
    const read = readAs(parameter, value);
    const wrong = read === undefined ? kindWrong(parameter, value) : wrongWith(parameter, read);
    if (wrong) refuse(name, wrong);
    else if (read !== undefined) values[name] = read;
  }
  return problems.length === 0 ? { ok: true, values } : { ok: false, problems };
}

function unknownName(name: string, names: readonly string[]): Wrong {
  const known = names.length === 0 ? 'this action has no parameters' : `use one of ${names.join(', ')}`;
  return {
    message: 'is no parameter of this action',
    fix: `${meantHint(name, names)}${known}`,
  };
}

const exampleOf = (parameter: ActionParameter): string =>
  parameter.type === 'integer'
    ? String(parameter.minimum)
    : parameter.type === 'choice'
      ? (parameter.values[0] ?? '')
      : 'VALUE';

/** Command lines and schedules know texts alone. */
function readAs({ type }: ActionParameter, value: unknown): ActionValue | undefined {
  if (type === 'integer') {
    if (typeof value === 'number') return Number.isInteger(value) ? value : undefined;
    return typeof value === 'string' && /^-?[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
  }
  if (type === 'list') {
    if (typeof value === 'string') return value === '' ? [] : value.split(',');
    const isList = Array.isArray(value) && value.every((one) => typeof one === 'string');
    return isList ? (value as string[]) : undefined;
  }
  return typeof value === 'string' ? value : undefined;
}

const isSecret = (parameter: ActionParameter): boolean => parameter.type === 'text' && parameter.secret;

const kindWrong = ({ type }: ActionParameter, value: unknown): Wrong =>
  type === 'integer'
    ? { message: `${shown(String(value))} is no whole number`, fix: 'use digits' }
    : type === 'list'
      ? { message: 'is no list of texts', fix: 'use texts with commas between, or a list of them' }
      : { message: 'is no text', fix: 'use a text' };

function wrongWith(parameter: ActionParameter, value: ActionValue): Wrong | undefined {
  switch (parameter.type) {
    case 'integer': {
      const { minimum, maximum } = parameter;
      const isIn = typeof value === 'number' && value >= minimum && value <= maximum;
      return isIn ? undefined : { message: `is ${value}`, fix: `use ${minimum} to ${maximum}` };
    }
    case 'choice':
      return parameter.values.includes(String(value))
        ? undefined
        : { message: `is ${shown(String(value))}`, fix: `use one of ${parameter.values.join(', ')}` };
    case 'text':
      return textsWrong(parameter, [String(value)], parameter.secret);
    case 'list':
      return listWrong(parameter, value as string[]);
  }
}

function listWrong(rules: ListRules, values: readonly string[]): Wrong | undefined {
  const { minItems, maxItems } = rules;
  if (values.length < minItems || values.length > maxItems)
    return { message: `has ${values.length} values`, fix: `use ${minItems} to ${maxItems}` };
  // `a,,b`: a program would be given an argument that is empty.
  if (values.includes(''))
    return { message: 'has a value that is empty', fix: 'leave out the comma too many' };
  return textsWrong(rules, values, false);
}

type Rules = Pick<TextRules, 'pattern' | 'maxLength' | 'dash' | 'description'>;

/** Of the first that is wrong. */
function textsWrong(rules: Rules, values: readonly string[], isSecret: boolean): Wrong | undefined {
  const nameOf = (value: string) => (isSecret ? 'the value' : shown(value));
  const wrong = values.flatMap((value) => textWrong(rules, value, nameOf(value)) ?? [])[0];
  return wrong ?? patternWrong(rules, values, nameOf);
}

function textWrong({ maxLength, dash }: Rules, value: string, name: string): Wrong | undefined {
  if (value.includes('\0'))
    return { message: 'has a NUL in it', fix: 'leave it out: no program can be given one' };
  if (value.length > maxLength)
    return { message: `is ${value.length} characters long`, fix: `use ${maxLength} at most` };
  if (value.startsWith('-') && !dash)
    return {
      message: `${name} begins with -`,
      fix: 'a program would take it for an option; write it otherwise',
    };
  return undefined;
}

function patternWrong(
  { pattern, description }: Rules,
  values: readonly string[],
  nameOf: (value: string) => string,
): Wrong | undefined {
  if (pattern === undefined) return undefined;
  const fit = fitOf(pattern, values);
  if (fit === 'fits') return undefined;
  if (fit === 'endless')
    return {
      message: `could not be compared with ${pattern}: that does not end`,
      fix: 'mend the pattern of the action: no part of it that repeats may be in another one that repeats',
    };
  return {
    message: fit.misfit === '' ? 'is empty' : `${nameOf(fit.misfit)} does not fit ${pattern}`,
    fix: `write it as the action wants it${description === '' ? '' : `: ${description}`}`,
  };
}

/** Short, on one line. */
const shown = (value: string): string => JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
