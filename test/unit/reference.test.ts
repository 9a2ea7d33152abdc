/** The reference of fields, and what somebody meant who wrote a field that there is not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../protocol/nearest.ts';
import { fieldsOf, referencePage } from '../../protocol/reference.ts';
import { kindNames, parseResource } from '../../protocol/resource.ts';

const page = join(import.meta.dirname, '../../docs/resources.md');

describe('[2.8] the reference of fields', () => {
  it('in docs/resources.md is the one that the schemas make (EVENKEEL_GOLDEN=write makes it)', () => {
    if (process.env.EVENKEEL_GOLDEN === 'write') writeFileSync(page, referencePage());
    expect(readFileSync(page, 'utf8')).toBe(referencePage());
  });

  it('has every field once, with what may be written and what holds where nothing is', () => {
    for (const kind of kindNames) {
      const paths = fieldsOf(kind).map(({ path }) => path);
      expect(new Set(paths).size).toBe(paths.length);
    }
    const field = (path: string) => fieldsOf('Site').find((one) => one.path === path);
    expect(field('root')).toMatchObject({ form: 'an absolute path', given: 'required' });
    expect(field('redirects[].code')).toMatchObject({
      ...{ form: 'one of 301, 302, 307, 308', given: 'default 301' },
    });
    const check = (path: string) => fieldsOf('Policy').find((one) => one.path === `checks[].${path}`);
    expect(check('type')?.form).toBe(
      'one of tcp, http, https, smtp, imap, pop3, ftp, dns, process, command, mount, disk, kernel',
    );
    expect(check('pidFile')).toMatchObject({ given: 'required in its form' });
    expect(check('status')?.means).toBe('(http, https)');
  });
});

describe('[2 bad input] a form that nobody knows', () => {
  it.each([
    [
      'int',
      'parameters/a/type',
      'is no known type',
      'did you mean integer? use one of text, integer, choice, list',
    ],
    ['float', 'parameters/a/type', 'is no known type', 'use one of text, integer, choice, list'],
  ])('type %s: %s %s, %s', (type, path, message, fix) => {
    const spec = { run: ['true'], idempotent: true, parameters: { a: { type } } };
    const parsed = parseResource({ kind: 'Action', name: 'a', spec });
    expect(parsed.ok ? [] : parsed.problems).toMatchObject([
      { path: expect.stringContaining(path) as string, value: `"${type}"`, message, fix },
    ]);
  });
});

describe('[2 bad input] a field that nobody knows', () => {
  const fixOf = (spec: object, kind = 'Site') => {
    const parsed = parseResource({ kind, name: 'a.example', spec: { root: '/srv/a', ...spec } });
    return parsed.ok ? [] : parsed.problems.map(({ fix }) => fix);
  };
  it.each([
    [{ alias: ['b.example'] }, 'did you mean aliases?'],
    [{ maxbody: '1m' }, 'did you mean maxBody?'],
    [{ redirects: [{ form: '/a', from: '/a', to: '/b' }] }, 'did you mean from?'],
    [
      { tls: { certificate: '/a', key: '/b', chian: '/c' } },
      'remove it; what is known here: certificate, key',
    ],
  ])('%j: %s', (spec, fix) => {
    expect(fixOf(spec)).toEqual([fix]);
  });

  it('is told in time, however long it is', () => {
    const started = performance.now();
    fixOf({ ['x'.repeat(1_000_000)]: 1 });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('is a kind as well', () => {
    expect(fixOf({}, 'Sites')[0]).toMatch(/^did you mean Site\? use one of /);
    expect(fixOf({}, 'Deployment')[0]).toMatch(/^use one of /);
  });

  it('is guessed only where it is near', () => {
    expect(nearest('rooot', ['root', 'roles'])).toBe('root');
    expect(nearest('orot', ['root'])).toBe('root');
    expect(nearest('documentRoot', ['root', 'php'])).toBeUndefined();
  });
});
