/** The template language: strict, closed, escaped, and able to say where it went wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Syntax } from '../../../common/render/escape.ts';
import { createLanguage } from '../../../common/render/language.ts';
import { TemplateError } from '../../../common/render/template-error.ts';

const render = (text: string, context: object = {}, syntax: Syntax = 'nginx') =>
  createLanguage(syntax)(text).run(context);
const failure = (work: () => unknown): TemplateError => {
  try {
    work();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(TemplateError);
    return thrown as TemplateError;
  }
  throw new Error('nothing was thrown');
};
const context = {
  name: 'a.example',
  list: ['x', 'y'],
  names: ['a', '*.b'],
  items: [
    { name: 'a', spec: { roles: ['web'], at: '192.0.2.2' } },
    { name: 'b', spec: { roles: [], at: '192.0.2.1', at6: 'fd00::1' } },
    { name: 'c', spec: { roles: [], at: '192.0.2.2' } },
  ],
  spec: { root: '/srv', php: undefined, none: null, n: 3 },
};

const mistakes = [
  ['{{absent}}', '"absent" not defined'],
  ['{{spec.absent}}', '"absent" is not there'],
  ['{{spec.absent.deeper}}', '"absent.deeper" is not there'],
  ['{{absent.deeper}}', '"absent" not defined'],
  ['{{spec.php}}', '"php" is not there'],
  ['{{spec.none}}', 'null cannot be written'],
  ['{{spec}}', 'cannot be written'],
  ['{{list}}', 'cannot be written'],
  ['{{#each spec.absent}}{{/each}}', '"absent" is not there'],
  ['{{lower spec.absent}}', '"absent" is not there'],
  ['{{join name ","}}', 'is not a list'],
  ['{{add name 1}}', 'is not a number'],
  ['{{{name}}}', 'a value must be escaped'],
  ['{{&name}}', 'a value must be escaped'],
  ['{{unknown name}}', 'there is no function unknown'],
  ['{{#unknown}}{{/unknown}}', 'there is no block unknown'],
  ['{{#each list}}{{#name}}{{/name}}{{/each}}', 'there is no block name'],
  ['{{log name}}', 'there is no function log'],
  ['{{lookup spec "root"}}', 'there is no function lookup'],
  ['{{lower name x=1}}', 'takes no named arguments'],
  ['{{#*inline "p"}}{{/inline}}', 'decorators and partial blocks are not known'],
  ['{{> (lower name)}}', 'a partial is named by its plain name'],
  ['{{name', 'Parse error'],
];

describe('[2.6] a template', () => {
  it.each(mistakes)('fails at %s, and says the line', (text, message) => {
    const error = failure(() => render(`first\n${text}\n`, context));
    expect(error.message).toContain(message);
    expect(error.line).toBe(2);
  });

  it.each([
    'constructor',
    '__proto__',
    'toString',
    'spec.constructor',
    'spec.__proto__.x',
    'list.constructor.name',
  ])('cannot reach the prototype by {{%s}}', (path) => {
    failure(() => render(`{{${path}}}`, context));
    expect(render(`{{#if ${path}}}reached{{/if}}`, context)).toBe('');
  });

  it('may ask whether an optional field is there', () => {
    expect(render('{{#if spec.absent.deeper}}yes{{else}}no{{/if}}', context)).toBe('no');
    expect(render('{{#if (and spec.root (not spec.php))}}yes{{/if}}', context)).toBe('yes');
    expect(render('{{or spec.absent name}}', context)).toBe('a.example');
  });

  it.each([
    ['{{add 1 2 spec.n}}', '6'],
    ['{{mul 2 spec.n}}', '6'],
    ['{{max 2 spec.n}}', '3'],
    ['{{pow2 spec.n}} {{pow2 64}} {{pow2 65}} {{pow2 0}}', '4 64 128 1'],
    ['{{join list " "}}', 'x y'],
    ['{{lower "ABC"}}', 'abc'],
    ['{{#each (where items "spec.roles" "web")}}{{name}}{{/each}}', 'a'],
    ['{{#each (where items "spec.at6")}}{{name}}{{/each}}', 'b'],
    ['{{#if (where items "spec.at" "nowhere")}}some{{else}}none{{/if}}', 'none'],
    ['{{join (addresses items "spec.at" "v4") " "}}', '192.0.2.1 192.0.2.2'],
    ['{{#if (v6 "fd00::1")}}six{{/if}}{{#if (v6 "192.0.2.1")}}no{{/if}}', 'six'],
    ['{{bytes "32m"}} {{join (split "a%20b" "%") "-"}}', '33554432 a-20b'],
    ['{{#each (wild names)}}{{this}} {{/each}}{{#if (wild list)}}none{{/if}}', '*.b '],
    ['{{#each (exact names)}}{{this}} {{/each}}', 'a '],
    ['{{netmask 24}} {{netmask 1}} {{netmask 32}}', '255.255.255.0 128.0.0.0 255.255.255.255'],
    ['{{mark "shop"}} {{mark "web"}}', '1163967597 1161972104'],
    ['{{#if (eq spec.n 3)}}three{{/if}}', 'three'],
    ['{{#if (has list "y")}}in{{/if}}{{#if (has list "z")}}out{{/if}}', 'in'],
    ['{{quote (decode "/a%20b%22")}}', '"/a b\\""'],
    ['{{#each list}}{{@index}}{{this}}{{#if @last}}.{{/if}}{{/each}}', '0x1y.'],
    ['{{#each list}}{{../name}} {{@root.spec.root}} {{/each}}', 'a.example /srv a.example /srv '],
  ])('%s gives %s', (text, expected) => {
    expect(render(text, context)).toBe(expected);
  });
});

describe('[2 bad input] a value that could break out of its place', () => {
  const breakouts = [
    'a;b',
    'a}b',
    'a{b',
    'a b',
    'a\nb',
    'a\tb',
    'a"b',
    "a'b",
    'a\\b',
    'a#b',
    'a$b',
    '',
    '~a',
    'a\u0000b',
    'é',
  ];

  it.each(breakouts)('is refused bare in nginx, Apache and HAProxy syntax: %j', (value) => {
    for (const syntax of ['nginx', 'apache', 'haproxy'] as const) {
      const error = failure(() => render('x {{value}};', { value }, syntax));
      expect(error.message).toContain(`may not stand bare in ${syntax} syntax`);
      failure(() => render('x {{join list " "}};', { list: [value] }, syntax));
    }
  });

  it('is refused between quotes where it could end or leave them, and otherwise stands for itself', () => {
    for (const value of ['a\nb', 'a$b', '\u007f']) failure(() => render('{{quote value}}', { value }));
    for (const value of ['a\nb', "a'b"]) failure(() => render('{{quote value}}', { value }, 'haproxy'));
    expect(render('{{quote value}}', { value: 'a "b" \\ ; {c}' })).toBe('"a \\"b\\" \\\\ ; {c}"');
    expect(render('{{quote value}}', { value: 'a "b" $c #d' }, 'haproxy')).toBe(`'a "b" $c #d'`);
  });

  it('[4.8] is no variable of Apache between quotes, and only itself in an expression', () => {
    for (const value of ['a\nb', 'a$\u007bb}', '$\u007b'])
      failure(() => render('{{quote value}}', { value }, 'apache'));
    expect(render('{{quote value}}', { value: 'a "b" \\ $c' }, 'apache')).toBe('"a \\"b\\" \\\\ $c"');
    fc.assert(
      fc.property(fc.string(), (value) => {
        const source = render('{{regex value}}', { value }, 'apache');
        expect(source).toMatch(/^(?:[A-Za-z0-9/_-]|\\x[0-9a-f]{2})*$/);
        expect(new RegExp(`^${source}$`).test(Buffer.from(value).toString('latin1'))).toBe(true);
      }),
    );
  });

  it('is refused in plain syntax only for control characters', () => {
    expect(render('{{value}}', { value: 'a b; {"c"} $d' }, 'plain')).toBe('a b; {"c"} $d');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 31 }), (code) => {
        failure(() => render('{{value}}', { value: String.fromCharCode(code) }, 'plain'));
      }),
    );
  });

  it('never gets through: whatever is written bare is one word without meaning', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        try {
          expect(render('{{value}}', { value })).toMatch(/^[A-Za-z0-9._@+=,:/*?&%~-]+$/);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(TemplateError);
        }
      }),
    );
  });
});
