/** The words of a command: where its parameters go, and what becomes of them. Never a shell: each word is one argument. Pure. */
import type { ActionSpec } from '../../protocol/resources/action.ts';
import type { ActionValue, ActionValues } from './values.ts';

const PLACE = /\{\{([a-z][A-Za-z0-9]*)\}\}/g;

/** The parameters that a word names, in their order. */
export const namedIn = (word: string): string[] => [...word.matchAll(PLACE)].map(([, name = '']) => name);

/** The one parameter that a word is made of, alone. */
export const aloneIn = (word: string): string | undefined => {
  const [name] = namedIn(word);
  return name !== undefined && word === `{{${name}}}` ? name : undefined;
};

/** What has a value only: every object has a `constructor`. */
const valueIn = (values: ActionValues, name: string): ActionValue | undefined =>
  Object.hasOwn(values, name) ? values[name] : undefined;

/**
 * The argument list of an action whose values were checked: a value goes where its name stood, whatever is in it, and a
 * list, alone in its place, becomes one argument for each of its values.
 */
export const argumentsOf = (words: readonly string[], values: ActionValues): string[] =>
  words.flatMap((word) => {
    const alone = aloneIn(word);
    const list = alone === undefined ? undefined : valueIn(values, alone);
    if (Array.isArray(list)) return list;
    // Of one pass: what a value holds is not looked at again.
    return [word.replaceAll(PLACE, (_, name: string) => String(valueIn(values, name) ?? ''))];
  });

const HIDDEN = '[secret]';

/** The parameters whose values nobody is shown. */
export const secretsOf = ({ parameters }: Pick<ActionSpec, 'parameters'>): string[] =>
  Object.entries(parameters).flatMap(([name, parameter]) =>
    parameter.type === 'text' && parameter.secret ? [name] : [],
  );

/** The values as people may see them. */
export const shownValues = (values: ActionValues, hidden: readonly string[]): ActionValues =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, hidden.includes(name) ? HIDDEN : value]),
  );
