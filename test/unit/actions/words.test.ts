/** Values and words of actions: what is refused at the door, and that no value ever becomes more than the argument it stands for. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHiding } from '../../../agent/queue/output.ts';
import { type ActionValues, valuesOf } from '../../../common/actions/values.ts';
import { argumentsOf, secretsOf, shownValues } from '../../../common/actions/words.ts';
import { parseResource, type ResourceOf } from '../../../protocol/resource.ts';
import type { ActionSpec } from '../../../protocol/resources/action.ts';

const specOf = (spec: object): ActionSpec => {
  const parsed = parseResource({ kind: 'Action', name: 'a', spec: { idempotent: true, ...spec } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return (parsed.resource as ResourceOf<'Action'>).spec;
};
const { parameters } = specOf({
  run: ['true'],
  parameters: {
    name: { type: 'text', pattern: '[a-z]+', default: 'x' },
    count: { type: 'integer', minimum: 1, maximum: 9, default: 1 },
    how: { type: 'choice', values: ['soft', 'hard'], default: 'soft' },
    packages: { type: 'list', minItems: 0, maxItems: 3, default: [] },
    free: { type: 'text', dash: true, default: '' },
    password: { type: 'text', secret: true, default: 'none' },
  },
});
const wrong = (given: Record<string, unknown>) => {
  const valued = valuesOf(parameters, given, 'parameters');
  return valued.ok ? [] : valued.problems.map(({ path, message }) => `${path} ${message}`);
};

describe('[5.1] values', () => {
  it('are filled in from the defaults, and read as their types from the texts of a command line', () => {
    expect(valuesOf(parameters, { count: '3', packages: 'a,b' }, 'parameters')).toEqual({
      ok: true,
      values: { name: 'x', count: 3, how: 'soft', packages: ['a', 'b'], free: '', password: 'none' },
    });
  });

  it.each([
    ['one that is not declared', { nme: 'x' }, 'parameters/nme is no parameter of this action'],
    [
      'what does not fit its pattern as a whole',
      { name: 'a;b' },
      'parameters/name "a;b" does not fit [a-z]+',
    ],
    ['a newline after what fits', { name: 'a\n' }, 'parameters/name "a\\n" does not fit [a-z]+'],
    ['a NUL', { free: 'a\0b' }, 'parameters/free has a NUL in it'],
    [
      'what a program would take for an option',
      { packages: ['a', '--x'] },
      'parameters/packages "--x" begins with -',
    ],
    ['a number out of its range', { count: 10 }, 'parameters/count is 10'],
    ['half a number', { count: 1.5 }, 'parameters/count "1.5" is no whole number'],
    ['a number with something behind it', { count: '1 ' }, 'parameters/count "1 " is no whole number'],
    ['what is not among the choices', { how: 'mid' }, 'parameters/how is "mid"'],
    ['too many', { packages: 'a,b,c,d' }, 'parameters/packages has 4 values'],
    ['an object where a text is wanted', { name: {} }, 'parameters/name is no text'],
  ])('refuse %s', (_, given, said) => {
    expect(wrong(given)).toEqual([said]);
  });

  it('name what is missing, all of it at once, and never show a secret', () => {
    const { parameters: two } = specOf({
      run: ['true'],
      parameters: { a: { type: 'text' }, b: { type: 'text', secret: true, maxLength: 3 } },
    });
    const valued = valuesOf(two, { b: 'geheim' }, 'p');
    expect(valued.ok ? [] : valued.problems.map(({ path }) => path)).toEqual(['p/a', 'p/b']);
    expect(JSON.stringify(valued)).not.toContain('geheim');
  });
});

describe('[5.1] a pattern', () => {
  const endless = '([a-z0-9]+-?)+';
  const value = `${'a'.repeat(40)}!`;
  const said = `could not be compared with ${endless}: that does not end`;
  const tried = (parameter: object, given: unknown) => {
    const { parameters: one } = specOf({
      run: ['true'],
      parameters: { x: { pattern: endless, ...parameter } },
    });
    const began = performance.now();
    const valued = valuesOf(one, { x: given }, 'p');
    return { ms: performance.now() - began, said: valued.ok ? [] : valued.problems.map((of) => of.message) };
  };

  it('that takes for ever is ended, and named; so is that of a list, all of it in one time', () => {
    const text = tried({ type: 'text' }, value);
    expect(text.said).toEqual([said]);
    expect(text.ms).toBeLessThan(2_000);
    const list = tried({ type: 'list' }, ['fits', ...Array.from({ length: 100 }, () => value)]);
    expect(list.said).toEqual([said]);
    expect(list.ms).toBeLessThan(2_000);
  });

  it('names the first value of a list that does not fit', () => {
    expect(tried({ type: 'list' }, ['a', '!', '?']).said).toEqual([`"!" does not fit ${endless}`]);
  });

  it('of a secret that takes for ever shows nothing of it', () => {
    expect(JSON.stringify(tried({ type: 'text', secret: true }, value))).not.toContain('aaaa');
  });
});

describe('[5.1] words', () => {
  it('and values know what was declared and given, and nothing that every object has', () => {
    expect(argumentsOf(['x', '{{constructor}}', '{{toString}}'], {})).toEqual(['x', '', '']);
    const { parameters: one } = specOf({
      run: ['true'],
      parameters: { constructor: { type: 'text', default: 'x' } },
    });
    expect(valuesOf(one, {}, 'p')).toEqual({ ok: true, values: { constructor: 'x' } });
  });

  it('put a value where its name stood, and a list as one argument for each of its values', () => {
    const values: ActionValues = { unit: 'a b', packages: ['x', '$(reboot)'] };
    expect(argumentsOf(['run', '--unit={{unit}}', '--', '{{packages}}'], values)).toEqual([
      ...['run', '--unit=a b', '--', 'x', '$(reboot)'],
    ]);
    expect(argumentsOf(['run', '{{packages}}', 'end'], { packages: [] })).toEqual(['run', 'end']);
  });

  it('reach a real program as they are, whatever is in them: no value is more than its argument', () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 40 })
      .filter((one) => !one.includes('\0') && Buffer.from(one).toString() === one);
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (one, list) => {
        const script = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
        const args = argumentsOf(['-e', script, '--', '{{one}}', '{{list}}'], { one, list });
        const said = execFileSync(process.execPath, args, { encoding: 'utf8' });
        expect(JSON.parse(said)).toEqual([one, ...list]);
      }),
      { numRuns: 15 },
    );
  });

  it('are of one pass: a value that looks like a name stays as it is', () => {
    expect(argumentsOf(['x', '{{a}}'], { a: '{{b}}', b: 'no' })).toEqual(['x', '{{b}}']);
  });
});

describe('[5.2] secrets', () => {
  it('are cut out of what a command says and of what is shown, the longer before what it begins with', () => {
    const spec = specOf({
      run: ['true'],
      parameters: {
        a: { type: 'text', secret: true },
        b: { type: 'text', secret: true },
        c: { type: 'text' },
      },
    });
    const values = { a: 'pass', b: 'password', c: 'open' };
    const hiding = createHiding(secretsOf(spec).map((name) => values[name as keyof typeof values]));
    expect(hiding.pass('pass=password, open') + hiding.rest()).toBe('[secret]=[secret], open');
    expect(shownValues(values, secretsOf(spec))).toEqual({ a: '[secret]', b: '[secret]', c: 'open' });
  });
});
