/** Documents from files: every form that people have, and the line of each field. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readDocuments } from '../../cli/documents.ts';

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-documents-'));
  mkdirSync(file('many/deep'), { recursive: true });
  writeFileSync(
    file('two.yaml'),
    '# a comment\nkind: Site\nname: a.example\nspec:\n  aliases:\n    - b.example\n    - "c;"\n---\nkind: Site\nname: "d\\n"\nspec: {}\n---\n# nothing\n',
  );
  writeFileSync(file('many/b.yml'), 'kind: Site\nname: b.example\n');
  writeFileSync(file('many/a.json'), '{"kind": "Site", "name": "a.example"}');
  writeFileSync(file('many/deep/c.yaml'), 'kind: Site\nname: c.example\n');
  writeFileSync(file('many/readme.txt'), 'not this');
  writeFileSync(
    file('get.json'),
    '[{"kind": "Site", "name": "g.example", "revision": 3, "digest": "x", "spec": {}}]',
  );
  writeFileSync(file('stream.json'), '{"kind": "Site", "name": "1"}\n---\n{"kind": "Site", "name": "2"}\n');
  writeFileSync(file('broken.yaml'), 'kind: Site\nname: [a\n');
  writeFileSync(file('empty.yaml'), '# nothing\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const names = (paths: string[]) =>
  readDocuments(paths.map(file)).documents.map((one) => (one as { name: string }).name);

it('[2.8] one file of many documents, folders with all below them, JSON, and many paths', () => {
  expect(names(['two.yaml'])).toEqual(['a.example', 'd\n']);
  expect(names(['many'])).toEqual(['a.example', 'b.example', 'c.example']);
  expect(names(['stream.json', 'many/b.yml'])).toEqual(['1', '2', 'b.example']);
});

it('[2.8] what get printed can be applied: revision and digest are left out', () => {
  expect(readDocuments([file('get.json')]).documents).toEqual([
    { kind: 'Site', name: 'g.example', spec: {} },
  ]);
});

it('[2.8] the place of a problem is a file and a line, and a name is shown only where it is one', () => {
  const { place } = readDocuments([file('many/b.yml'), file('two.yaml')]);
  expect(place('documents/1/spec/aliases/1')).toBe(`${file('two.yaml')}:7 Site/a.example spec/aliases/1`);
  expect(place('documents/1/spec/root')).toBe(`${file('two.yaml')}:5 Site/a.example spec/root`);
  expect(place('documents/2/name')).toBe(`${file('two.yaml')}:10 document 3 name`);
  expect(place('documents/0')).toBe(`${file('many/b.yml')}:1 Site/b.example`);
  expect(place('somewhere')).toBe('somewhere');
});

it('[2.8] a file that is not there, broken or empty is refused by its name', () => {
  expect(() => names(['nowhere.yaml'])).toThrow(/nowhere\.yaml cannot be read/);
  expect(() => names(['broken.yaml'])).toThrow(/broken\.yaml:3:1: this is not YAML: .*[a-z\]]$/);
  expect(() => names(['empty.yaml'])).toThrow(/no documents in .*empty\.yaml/);
});
