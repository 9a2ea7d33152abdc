/** Action: a thing that can be done on nodes: an argument list made of typed parameters, or something the agent does itself. */
import { type Static, Type } from 'typebox';
import { checkNames } from '../preflight.ts';
import { ByName, Identifier, Name, OneOf, Strict, Wait } from '../values.ts';

export const ActionName = Name;

/** Part of a command, with `{{name}}` where a parameter goes. No NUL: no argument can hold one. */
const withoutNul = {
  pattern: '^[^\\u0000]*$',
  'x-rule': 'A text without NUL',
  'x-fix': 'no program can be given a NUL; leave it out',
};
const Word = Type.String({ minLength: 1, maxLength: 4096, ...withoutNul });
const commandFor = (description: string) => Type.Array(Word, { minItems: 1, maxItems: 256, description });

const about = {
  description: Type.String({ maxLength: 500, default: '', description: 'For people' }),
};
const textRules = {
  pattern: Type.Optional(
    Type.String({ maxLength: 1000, description: 'A regular expression that the whole value fits' }),
  ),
  maxLength: Type.Integer({ minimum: 1, maximum: 65_536, default: 1000 }),
  dash: Type.Boolean({ default: false, description: 'The value may begin with -, as an option does' }),
};

/**
 * One parameter. Without a default it must be given. That it has a default itself is for typebox: it fills in what is
 * inside a value of a record only then.
 */
export const ActionParameter = Type.Union(
  [
    Strict({
      type: Type.Literal('text'),
      ...about,
      ...textRules,
      default: Type.Optional(Type.String({ maxLength: 65_536 })),
      secret: Type.Boolean({
        default: false,
        description: 'Shown to nobody, and cut out of what a command says',
      }),
    }),
    Strict({
      type: Type.Literal('integer'),
      ...about,
      minimum: Type.Integer({ default: 0 }),
      maximum: Type.Integer({ default: 2_147_483_647 }),
      default: Type.Optional(Type.Integer()),
    }),
    Strict({
      type: Type.Literal('choice'),
      ...about,
      values: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 100 }),
      default: Type.Optional(Type.String({ maxLength: 200 })),
    }),
    Strict({
      type: Type.Literal('list'),
      ...about,
      ...textRules,
      minItems: Type.Integer({ minimum: 0, maximum: 200, default: 1 }),
      maxItems: Type.Integer({ minimum: 1, maximum: 200, default: 200 }),
      default: Type.Optional(Type.Array(Type.String({ maxLength: 65_536 }), { maxItems: 200 })),
    }),
  ],
  { default: { type: 'text' } },
);
export type ActionParameter = Static<typeof ActionParameter>;

/** What an agent does itself. */
export const deeds = [
  'unit-restart',
  'unit-reload',
  'sweep',
  'certificate-renew',
  'facts',
  'reboot',
] as const;
export type DeedName = (typeof deeds)[number];

export const ActionSpec = Strict({
  description: Type.String({ maxLength: 500, default: '', description: 'For people' }),
  parameters: ByName(Identifier, ActionParameter, {
    default: {},
    maxProperties: 32,
    description: 'What may be given; without a default it must be',
  }),
  run: Type.Optional(
    commandFor(
      'An argument list, never a shell line; {{name}} stands for a parameter. Exactly one of `run` and `do` is given',
    ),
  ),
  do: Type.Optional(OneOf([...deeds], { description: 'Instead of `run`: what the agent does itself' })),
  unless: Type.Optional(commandFor('When this ends with 0 the work is done already')),
  environment: Type.Record(
    Type.String({
      pattern: '^(?!LD_)[A-Z][A-Z0-9_]{0,63}$',
      'x-rule': 'A variable of the environment',
      'x-fix': 'use upper case letters, digits and _, and none that begins with LD_',
    }),
    Type.String({ maxLength: 1000, ...withoutNul }),
    { default: {}, maxProperties: 32, description: 'Variables that the program gets beside PATH' },
  ),
  input: Type.Optional(Type.Union([Word], { description: 'What it reads on its standard input' })),
  roles: Type.Array(Name, { default: [], maxItems: 64, description: 'Nodes that it is for; none means all' }),
  timeout: Type.Unsafe<string>({ ...Wait, default: '5m', description: 'After that its processes are ended' }),
  idempotent: Type.Boolean({
    description: 'Whether a second time does no harm: then a failure is tried again by itself',
  }),
  access: OneOf(['operator', 'admin'], {
    default: 'operator',
    description: 'The least role that may run it',
  }),
  undo: Type.Optional(
    Strict({
      action: Name,
      parameters: ByName(Identifier, Type.String({ maxLength: 4096 }), {
        default: {},
        maxProperties: 32,
      }),
    }),
  ),
  diagnose: Type.Array(OneOf([...checkNames]), { default: [], uniqueItems: true }),
});
export type ActionSpec = Static<typeof ActionSpec>;
