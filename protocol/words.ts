/** Words: what a schema allows and how to mend what it refused, said so that nobody has to read a regular expression. Pure. */

/** The keywords that are read of a schema; it may have any others. */
interface Rules {
  'x-rule'?: unknown;
  type?: unknown;
  enum?: unknown;
  const?: unknown;
  minimum?: unknown;
  maximum?: unknown;
  minLength?: unknown;
  maxLength?: unknown;
  minItems?: unknown;
  maxItems?: unknown;
  'x-fix'?: unknown;
}

export interface Words {
  message: string;
  fix?: string;
}

const articles: Record<string, string> = {
  ...{ string: 'a text', integer: 'a whole number', number: 'a number', boolean: 'true or false' },
  ...{ array: 'a list', object: 'an object', null: 'null' },
};

/** @param said what the validator says, for the keywords that it words well */
export function wordsOf(keyword: string, schema: unknown, said: string): Words {
  const rules = (typeof schema === 'object' && schema !== null ? schema : {}) as Rules;
  const advice = typeof rules['x-fix'] === 'string' ? rules['x-fix'] : undefined;
  const { message, fix } = generalWords(keyword, rules, said);
  const best = advice ?? fix;
  return { message, ...(best === undefined ? {} : { fix: best }) };
}

function generalWords(keyword: string, rules: Rules, said: string): Words {
  const { minLength = 0, maxLength, minItems = 0, maxItems } = rules;
  switch (keyword) {
    case 'pattern':
      return { message: `must be ${lowered(rules['x-rule'])}` };
    case 'enum':
    case 'const': {
      const known = Array.isArray(rules.enum) ? rules.enum : [rules.const];
      return { message: `must be one of ${known.join(', ')}`, fix: 'use one of them' };
    }
    case 'minimum':
    case 'maximum':
      return { message: said, fix: `use ${articles[String(rules.type)] ?? 'a number'}${rangeOf(rules)}` };
    case 'minLength':
    case 'maxLength':
      return { message: said, fix: `use ${countOf(minLength, maxLength)} characters` };
    case 'minItems':
    case 'maxItems':
      return { message: said, fix: `give ${countOf(minItems, maxItems)} of them` };
    case 'uniqueItems':
      return { message: 'must not name one thing twice', fix: 'leave one of the two' };
    case 'type': {
      const wanted = articles[String(rules.type)] ?? String(rules.type);
      return { message: `must be ${wanted}`, fix: `write ${wanted}` };
    }
    default:
      return { message: said };
  }
}

/** `A name` within a sentence. */
const lowered = (rule: unknown): string =>
  typeof rule === 'string' ? `${rule.charAt(0).toLowerCase()}${rule.slice(1)}` : 'of another form';

const rangeOf = ({ minimum, maximum }: Rules): string =>
  [minimum === undefined ? '' : ` from ${minimum}`, maximum === undefined ? '' : ` to ${maximum}`].join('');

const countOf = (least: unknown, most: unknown): string =>
  most === undefined ? `at least ${least}` : least === 0 ? `at most ${most}` : `${least} to ${most}`;
