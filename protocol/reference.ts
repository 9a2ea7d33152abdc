/** The reference: every field of every kind as its schema says it, for people. Pure. */
import { type Kind, kindNames, kinds } from './resource.ts';

export interface Field {
  /** `redirects[].from`; `[]` stands for each of a list, `<name>` for each name. */
  path: string;
  /** What may be written. */
  form: string;
  /** `required`, `optional`, or what holds where nothing is written. */
  given: string;
  means: string;
}

export const summaries: Record<Kind, string> = {
  Cluster: 'What holds for all nodes; there is exactly one, named `cluster`.',
  Template: 'The Handlebars text of one kind of file, named by its path below templates/.',
  Policy: 'One unit of convergence on the nodes of a role: its inputs, files, service and checks.',
  Node: 'One box that runs an agent; most of it is written when it joins, and by `evenkeel node`.',
  Storage: 'Where site data lives, as the nodes mount it.',
  Site: 'One website, served by every node of the roles whose policies take sites.',
  VirtualService: 'An address and ports at the balancer, and the pool of nodes that answers for it.',
  Action: 'A thing that can be done on nodes: `evenkeel run`, and what becomes of it when it fails.',
  Schedule: 'An action that is done by the calendar: on a cron line, in a time zone.',
};

interface Schema {
  type?: string;
  anyOf?: Schema[];
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  patternProperties?: Record<string, Schema>;
  minimum?: number;
  maximum?: number;
  description?: string;
  default?: unknown;
  'x-rule'?: string;
}

/** The fields of a kind's spec, in the order in which they are declared. */
export const fieldsOf = (kind: Kind): Field[] => below(kinds[kind].spec as Schema, '');

/** A union of one is that one, with words of its own. */
function plain(schema: Schema): Schema {
  const [only, ...others] = schema.anyOf ?? [];
  if (only === undefined || others.length > 0) return schema;
  const { anyOf: _, ...said } = schema;
  return { ...plain(only), ...said };
}

function below(given: Schema, path: string): Field[] {
  const schema = plain(given);
  if (schema.items) return below(schema.items, `${path}[]`);
  if (schema.anyOf) return ofForms(schema.anyOf, path);
  const [value] = Object.values(schema.patternProperties ?? {});
  if (value) return below(value, `${path}.<name>`);
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([name, field]) => {
    const own = path === '' ? name : `${path}.${name}`;
    return [fieldOf(plain(field), own, required.includes(name)), ...below(field, own)];
  });
}

/** Of what has several forms, each field once; where a `type` tells them apart, with the types that have it. */
function ofForms(forms: Schema[], path: string): Field[] {
  const types = forms.map(({ properties }) => properties?.type?.const);
  const found = new Map<string, { field: Field; of: string[]; forms: Set<string> }>();
  for (const [at, form] of forms.entries())
    for (const field of below(form, path)) {
      const known = found.get(field.path) ?? { field, of: [], forms: new Set() };
      known.of.push(String(types[at] ?? at));
      known.forms.add(field.form);
      found.set(field.path, known);
    }
  return [...found.values()].map(({ field: first, of, forms: written }) => {
    const field = { ...first, form: [...written].join('; or ') };
    if (field.path === `${path}.type` && types[0] !== undefined)
      return { ...field, form: `one of ${of.join(', ')}`, means: 'Which of the forms it is' };
    if (of.length === forms.length) return field;
    const given = field.given === 'required' ? 'required in its form' : field.given;
    const means = types[0] === undefined ? field.means : `${field.means} (${of.join(', ')})`.trim();
    return { ...field, given, means };
  });
}

function fieldOf(schema: Schema, path: string, isRequired: boolean): Field {
  const { default: value, description = '' } = schema;
  const form = formOf(schema);
  const isShown = value !== undefined && !isEmpty(value);
  const given = isShown
    ? `default ${JSON.stringify(value)}`
    : isRequired && value === undefined
      ? 'required'
      : 'optional';
  const means = description === schema['x-rule'] ? '' : description;
  return { path, form, given, means };
}

const isEmpty = (value: unknown): boolean =>
  value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

function formOf(given: Schema): string {
  const schema = plain(given);
  const { type, enum: values, anyOf, items, patternProperties = {} } = schema;
  const [named] = Object.values(patternProperties);
  if (values) return `one of ${values.join(', ')}`;
  if (schema.const !== undefined) return String(schema.const);
  if (anyOf?.every((one) => one.const !== undefined))
    return `one of ${anyOf.map((one) => one.const).join(', ')}`;
  if (anyOf) return [...new Set(anyOf.map(formOf))].join(' or ');
  if (items) return `list of: ${formOf(items)}`;
  if (named) return `by name: ${formOf(named)}`;
  if (type === 'object') return 'fields';
  if (type === 'boolean') return 'true or false';
  if (type === 'integer' || type === 'number') return `a whole number${rangeOf(schema)}`;
  const rule = schema['x-rule'];
  return rule === undefined ? 'a text' : rule.charAt(0).toLowerCase() + rule.slice(1);
}

function rangeOf({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  return minimum === undefined ? '' : ` from ${minimum}`;
}

/** The whole reference as docs/resources.md has it. */
export const referencePage = (): string =>
  [
    '# Resources',
    '',
    'Every field of every kind. This page is made from the schemas in `protocol/resources/` by',
    '`EVENKEEL_GOLDEN=write npx vitest run test/unit/reference.test.ts`; `evenkeel explain KIND` prints the same.',
    'A document is `kind`, `name` and `spec`; the fields below are those of `spec`. `[]` stands for each of a list, `<name>`',
    'for each name. An unknown field is refused.',
    ...kindNames.flatMap((kind) => ['', `## ${kind}`, '', summaries[kind], '', ...tableOf(kind)]),
    '',
  ].join('\n');

const tableOf = (kind: Kind): string[] => [
  '| field | what it is | given | means |',
  '|---|---|---|---|',
  ...fieldsOf(kind).map(({ path, form, given, means }) =>
    [
      '',
      ` \`${path}\` `,
      ` ${cell(form)} `,
      ` ${cell(given)} `,
      means === '' ? ' ' : ` ${cell(means)} `,
      '',
    ].join('|'),
  ),
];

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
