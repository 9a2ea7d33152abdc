/** Units: the same inputs give the same bytes, and a change renders what it touches and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../common/digest.ts';
import { createUnitItems, itemOf, type UnitItems } from '../../../common/render/items.ts';
import type { RenderedFile, RenderedUnit } from '../../../common/render/rendered.ts';
import { createTemplates } from '../../../common/render/templates.ts';
import { failedItems, renderUnit } from '../../../common/render/unit.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { inputsOf, lookup, node, policy, site, templates } from './declared.ts';

const names = ['a.example', 'b.example', 'c.example', 'd.example', 'e.example', 'f.example'];
const sites = names.map((name) => site(name));
const byPath = (unit: RenderedUnit) => new Map(unit.files.map((file) => [file.path, file]));
const rendered = (unit: RenderedUnit) => unit.files.filter((file) => file.live && file.text !== null);
const failure = (work: () => unknown): EvenkeelError => {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof EvenkeelError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was refused');
};

/** A node that lives through changes: it keeps its items and what it last rendered. */
function createLivingUnit() {
  const items = createUnitItems(policy().spec.inputs);
  const inputs = { policy: policy(), node: node(), templates: createTemplates(lookup()), items };
  let texts = new Map<string, string>();
  let last: RenderedUnit | undefined;
  return {
    items,
    render: () => {
      const unit = renderUnit(inputs, last && byPath(last));
      texts = new Map(unit.files.map((file) => [file.name, file.text ?? texts.get(file.name) ?? '']));
      last = unit;
      return { unit, texts };
    },
  };
}

/** Declares a version of a site, or deletes it when the version is 0. */
function change(items: UnitItems, now: Map<string, ReturnType<typeof site>>, name: string, version: number) {
  const next = site(name, { root: `/srv/v${version}` });
  if (version === 0) {
    now.delete(name);
    items.delete('Site', name);
  } else {
    now.set(name, next);
    items.put(itemOf(next));
  }
}

describe('[2.6] a unit', () => {
  it('is the same bytes whatever the order of its items', () => {
    const anyOrder = fc.shuffledSubarray(sites, { minLength: sites.length });
    const first = renderUnit(inputsOf(sites));
    fc.assert(
      fc.property(anyOrder, (shuffled) => {
        expect(renderUnit(inputsOf(shuffled)).files).toEqual(first.files);
      }),
      { numRuns: 30 },
    );
  });

  it('names a live file by its content, and puts the digest of the tree into the main file', () => {
    const unit = renderUnit(inputsOf(sites));
    for (const file of unit.files) expect(file.hash).toBe(sha256(file.text ?? ''));
    for (const file of unit.files.filter(({ live }) => live))
      expect(file.name).toBe(file.path.replace('.conf', `@${file.hash.slice(0, 16)}.conf`));
    const main = byPath(unit).get('main.conf') as RenderedFile;
    expect(main.text).toContain(`# ${unit.digest}\n`);
    for (const file of unit.files.filter(({ live }) => live))
      expect(main.text).toContain(`include /var/lib/evenkeel/units/pages/files/${file.name};`);
    expect(unit.context.tree).toBe(`/var/lib/evenkeel/units/pages/trees/${unit.digest}`);
  });

  it('has another digest when a byte, a mode or a link differs', () => {
    const digestWith = (file: object) => {
      const main = { template: 'main.hbs', path: 'main.conf', ...file };
      return renderUnit(inputsOf(sites, templates, policy({ files: [main] }))).digest;
    };
    const digests = [{}, { mode: '0600' }, { link: '/etc/pages.conf' }, { path: 'other.conf' }].map(
      digestWith,
    );
    expect(new Set(digests).size).toBe(digests.length);
    const before = renderUnit(inputsOf(sites)).digest;
    expect(renderUnit(inputsOf(sites, { ...templates, 'main.hbs': 'other\n' })).digest).not.toBe(before);
  });

  it('makes no file for an empty shard, and says which lines come from which item', () => {
    const unit = renderUnit(inputsOf(sites));
    const live = unit.files.filter((file) => file.live);
    expect(live.length).toBeLessThan(8);
    for (const file of live) {
      const lines = (file.text ?? '').split('\n');
      for (const { item, from } of file.spans)
        expect(lines[from - 1]).toBe(`site ${item.slice('Site/'.length)} {`);
    }
    expect(live.flatMap(({ spans }) => spans.map(({ item }) => item)).sort()).toEqual(
      names.map((name) => `Site/${name}`),
    );
  });

  it('renders nothing that it has already, and after one change the one file of that item', () => {
    const living = createLivingUnit();
    for (const one of sites) living.items.put(itemOf(one));
    const first = living.render().unit;
    expect(rendered(living.render().unit)).toEqual([]);
    living.items.put(itemOf(site('c.example', { root: '/srv/other' })));
    const { unit } = living.render();
    expect(rendered(unit).flatMap(({ spans }) => spans.map(({ item }) => item))).toContain('Site/c.example');
    expect(rendered(unit)).toHaveLength(1);
    expect(unit.digest).not.toBe(first.digest);
  });

  it('after any changes equals a render from scratch, byte for byte', () => {
    const step = fc.record({ name: fc.constantFrom(...names), version: fc.integer({ min: 0, max: 3 }) });
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 8 }), (rounds) => {
        const living = createLivingUnit();
        const now = new Map<string, ReturnType<typeof site>>();
        for (const round of rounds) {
          for (const { name, version } of round) change(living.items, now, name, version);
          const scratch = renderUnit(inputsOf([...now.values()]));
          const { unit, texts } = living.render();
          expect(unit.digest).toBe(scratch.digest);
          expect(texts).toEqual(new Map(scratch.files.map((file) => [file.name, file.text])));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is rendered anew where a template, a partial or a parameter has changed', () => {
    const texts = { ...templates, 'site.hbs': '{{> "part.hbs"}}\n', 'part.hbs': 'one {{params.port}}\n' };
    const ported = policy({ parameters: { port: { type: 'integer', default: 80 } } });
    const inputs = inputsOf(sites, texts, ported);
    const before = byPath(renderUnit(inputs));
    expect(rendered(renderUnit(inputs, before))).toEqual([]);
    texts['part.hbs'] = 'two {{params.port}}\n';
    const files = rendered(renderUnit(inputs, before));
    expect(files.length).toBeGreaterThan(0);
    for (const { text } of files) expect(text).toMatch(/^(two 80\n)+$/);
    const moved = { ...inputs, node: node({ parameters: { port: 8080 } }) };
    for (const { text } of rendered(renderUnit(moved, before))) expect(text).toMatch(/^(two 8080\n)+$/);
  });
});

describe('a template that throws', () => {
  const broken = { ...templates, 'site.hbs': 'root {{spec.root}};\nphp {{spec.php.socket}};\n' };
  const php = (name: string) => site(name, { php: { socket: '/run/php.sock' } });

  it('is reported with unit, template, line and every item that it fails for', () => {
    const error = failure(() =>
      renderUnit(inputsOf([php('a.example'), site('b.example'), site('c.example')], broken)),
    );
    expect(error.code).toBe('render-failed');
    expect(error.message).toContain('unit pages for Site/');
    expect(error.message).toContain('template site.hbs line 2: ');
    expect(failedItems(error).sort()).toEqual(['Site/b.example', 'Site/c.example']);
  });

  it('renders the rest once those items are held back, and the same item fails again as long as it is wrong', () => {
    const inputs = inputsOf([php('a.example'), site('b.example')], broken);
    for (const _ of [1, 2])
      expect(failedItems(failure(() => renderUnit(inputs)))).toEqual(['Site/b.example']);
    inputs.items.delete('Site', 'b.example');
    const spans = renderUnit(inputs).files.flatMap((file) => file.spans);
    expect(spans.map(({ item }) => item)).toEqual(['Site/a.example']);
  });

  it('names no item when it is the main file', () => {
    const error = failure(() => renderUnit(inputsOf(sites, { ...templates, 'main.hbs': '\n{{nothing}}\n' })));
    expect(error.message).toContain('template main.hbs line 2: "nothing"');
    expect(failedItems(error)).toEqual([]);
  });

  it.each([
    [
      'a template that does not exist',
      { template: 'absent.hbs', path: 'x' },
      'there is no template absent.hbs',
    ],
    ['a path that leaves the tree', { template: 'main.hbs', path: '../x' }, 'is not a relative path'],
    [
      'an input that is not declared',
      { template: 'site.hbs', for: 'pools', path: '{{name}}' },
      'no input pools',
    ],
    ['two files at one path', { template: 'main.hbs', path: 'main.conf' }, 'two files are named main.conf'],
  ])('is refused for %s', (_, file, message) => {
    const files = [{ template: 'main.hbs', path: 'main.conf' }, file];
    expect(failure(() => renderUnit(inputsOf(sites, templates, policy({ files })))).message).toContain(
      message,
    );
  });
});
