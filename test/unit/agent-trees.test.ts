/** Trees on disk: a file once written is never written again, a name proves its content, and what nobody needs goes. */
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../../agent/state/collect.ts';
import { createDisk } from '../../agent/state/disk.ts';
import { BLANK, openRecord } from '../../agent/state/record.ts';
import { createTrees, type Manifest, type Text, type Trees } from '../../agent/state/trees.ts';
import { sha256 } from '../../common/digest.ts';

let folder: string;
let trees: Trees;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
  trees = createTrees({ folder });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A tree of live files by their texts, and one file of its own. */
function treeOf(texts: Record<string, string>): { manifest: Manifest; texts: Text[] } {
  const live = Object.entries(texts).map(([path, text]) => {
    const hash = sha256(text);
    return { path, live: true, name: `${path}@${hash.slice(0, 16)}`, mode: 0o644, key: hash, hash, text };
  });
  const digest = sha256(JSON.stringify(texts));
  const main = {
    path: 'main',
    live: false,
    name: 'main',
    mode: 0o640,
    key: digest,
    hash: sha256(digest),
    text: digest,
  };
  const all: Text[] = [...live, main];
  return { manifest: { unit: 'u', digest, files: all.map(({ text: _, ...file }) => file) }, texts: all };
}
const put = async (texts: Record<string, string>) => {
  const tree = treeOf(texts);
  const fresh = await trees.stage(tree.manifest, tree.texts);
  await trees.activate(tree.manifest.digest);
  return { ...tree, fresh, digest: tree.manifest.digest };
};
const places = (manifest: Manifest) => manifest.files.map((file) => trees.place(file, manifest.digest));

describe('a tree', () => {
  it('[2.5] shares what it has in common with the one before, byte for byte the same file', async () => {
    const first = await put({ a: '1', b: '1' });
    const same = (place: string) => {
      const { ino, mtimeMs, ctimeMs } = lstatSync(place);
      return { ino, mtimeMs, ctimeMs };
    };
    const before = same(trees.place(first.manifest.files[0]!, first.digest));
    const second = await put({ a: '1', b: '2' });
    expect(second.fresh.map((place) => readFileSync(place, 'utf8')).sort()).toEqual(
      [second.digest, '2'].sort(),
    );
    expect(same(trees.place(second.manifest.files[0]!, second.digest))).toEqual(before);
    expect(await trees.active()).toBe(second.digest);
    expect(await trees.manifest(first.digest)).toEqual(first.manifest);
  });

  it('[2.5] has its manifest again when it is staged after a hand took it away', async () => {
    const tree = await put({ a: '1' });
    rmSync(trees.tree(tree.digest), { recursive: true });
    await trees.stage(tree.manifest, tree.texts);
    expect(await createTrees({ folder }).manifest(tree.digest)).toEqual(tree.manifest);
  });

  it('[2.5] has the modes that are wanted, whatever the umask', async () => {
    const before = process.umask(0o077);
    const { manifest } = await put({ a: '1' });
    process.umask(before);
    expect(places(manifest).map((place) => lstatSync(place).mode & 0o777)).toEqual([0o644, 0o640]);
  });

  it('[2.5] is hashed again before it is used again, and a hand on it is undone', async () => {
    const old = await put({ a: '1' });
    await put({ a: '2' });
    for (const place of places(old.manifest)) {
      const { atime, mtime } = lstatSync(place);
      writeFileSync(place, 'x'.repeat(lstatSync(place).size));
      utimesSync(place, atime, mtime);
    }
    const again = await put({ a: '1' });
    expect(again.fresh).toEqual([]);
    expect(places(again.manifest).map((place) => readFileSync(place, 'utf8'))).toEqual(['1', old.digest]);
  });

  it('[2.5] whose manifest was damaged counts as none', async () => {
    const { digest } = await put({ a: '1' });
    const file = join(trees.tree(digest), 'manifest');
    writeFileSync(file, readFileSync(file, 'utf8').replace('main', 'mein'));
    expect(await createTrees({ folder }).manifest(digest)).toBeNull();
  });

  it('[2.5] that could not be written leaves nothing behind', async () => {
    const { digest } = await put({ a: '1' });
    const before = readdirSync(folder, { recursive: true }).sort();
    let left = 1;
    const full = createTrees({
      folder,
      write: async (path, data) => {
        left -= 1;
        if (left < 0) throw new Error('ENOSPC');
        writeFileSync(path, data);
      },
    });
    const next = treeOf({ a: '1', b: '2', c: '3', d: '4' });
    await expect(full.stage(next.manifest, next.texts)).rejects.toMatchObject({ code: 'write-failed' });
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
    expect(await trees.active()).toBe(digest);
  });
});

it('[2.5] old trees go but for the last three and those in use, with the files that only they used', async () => {
  const digests: string[] = [];
  for (let at = 0; at < 8; at += 1) {
    const { digest } = await put({ a: `${at}`, same: '1' });
    digests.push(digest);
    utimesSync(trees.tree(digest), at + 1, at + 1);
  }
  await collect(trees, [digests[1] ?? '', null]);
  const kept = [1, 5, 6, 7];
  expect(readdirSync(join(folder, 'trees')).sort()).toEqual(kept.map((at) => digests[at]).sort());
  expect(
    readdirSync(join(folder, 'files'))
      .map((name) => readFileSync(join(folder, 'files', name), 'utf8'))
      .sort(),
  ).toEqual([...kept.map(String), '1'].sort());
});

describe('the disk', () => {
  it('[2.5] is looked at by stat data, and the bytes are read where those have changed', async () => {
    const { manifest } = await put({ a: '1', b: '1' });
    const disk = createDisk();
    const expected = trees.expected(manifest);
    const wrong = async (options?: { contents: boolean }) =>
      (await disk.differing(expected, options)).map(({ path }) => path);
    expect(await wrong()).toEqual([]);
    const [a = '', b = ''] = places(manifest);
    appendFileSync(a, 'more');
    expect(await wrong()).toEqual(['a']);
    writeFileSync(a, '1');
    expect(await wrong()).toEqual([]);
    utimesSync(b, 1, 1);
    expect(await wrong()).toEqual([]);
    writeFileSync(b, '2');
    utimesSync(b, 1, 1);
    expect(await wrong()).toEqual([]);
    expect(await wrong({ contents: true })).toEqual(['b']);
    rmSync(join(folder, 'files'), { recursive: true });
    writeFileSync(join(folder, 'files'), '');
    expect(await wrong()).toEqual(['a', 'b']);
  });
});

describe('the record', () => {
  it('[2.5] is there after a restart, and one that cannot be believed counts as none', async () => {
    const digest = sha256('a');
    const record = await openRecord(join(folder, 'unit'));
    await record.write({ wanted: digest, loaded: digest, proven: Array.from({ length: 40 }, () => digest) });
    expect((await openRecord(join(folder, 'unit'))).read()).toMatchObject({
      wanted: digest,
      loaded: digest,
      good: null,
    });
    expect(record.read().proven.length).toBeLessThan(20);
    writeFileSync(join(folder, 'unit', 'record.json'), '{"good":');
    expect((await openRecord(join(folder, 'unit'))).read()).toEqual(BLANK);
    expect(existsSync(join(folder, 'unit'))).toBe(true);
  });
});
