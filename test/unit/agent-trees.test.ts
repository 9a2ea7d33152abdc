/** Trees on disk: a file once written is never written again, a name proves its content, and what nobody needs goes. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
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

it('[2 bad input] a stranger among the trees, and a tree that went meanwhile, stop no collection', async () => {
  for (let at = 0; at < 8; at += 1) {
    const { digest } = await put({ a: `${at}` });
    utimesSync(trees.tree(digest), at + 1, at + 1);
  }
  symlinkSync('/nowhere', join(folder, 'trees', 'stranger'));
  const active = await trees.active();
  await collect(trees, [active]);
  expect(readdirSync(join(folder, 'trees')).length).toBeLessThanOrEqual(4);
  expect(readdirSync(join(folder, 'trees'))).toContain(active);
});

describe('what a hand has put in the place of a folder of ours', () => {
  const kinds: Record<string, (place: string) => void> = {
    'a file': (place) => writeFileSync(place, 'x'),
    'a pipe': (place) => void execFileSync('mkfifo', [place]),
    'a link to a folder of others': (place) => symlinkSync(outside, place),
    'a link to nowhere': (place) => symlinkSync('/nowhere', place),
  };
  let outside: string;
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'evenkeel-outside-'));
  });
  afterEach(() => rmSync(outside, { recursive: true }));

  const cases = Object.keys(kinds).flatMap((kind) =>
    ['files', 'files/d', 'trees', 'own'].map((at) => [kind, at]),
  );
  it.each(cases)('[2 bad input] %s for %s goes, and nothing is written through it', async (kind, at) => {
    const { manifest, texts, digest } = await put({ 'd/a': '1' });
    const place = at === 'own' ? trees.tree(digest) : join(folder, at);
    rmSync(place, { recursive: true });
    kinds[kind]?.(place);
    await trees.stage(manifest, texts);
    expect(await createDisk().differing(trees.expected(manifest), { contents: true })).toEqual([]);
    expect(readdirSync(outside)).toEqual([]);
    expect(lstatSync(place).isDirectory()).toBe(true);
  });

  it.each(Object.keys(kinds).concat('a folder'))(
    '[2 bad input] %s for the link to the active tree goes',
    async (kind) => {
      const { digest } = await put({ a: '1' });
      const current = join(folder, 'current');
      rmSync(current);
      if (kind === 'a folder') mkdirSync(join(current, 'deep'), { recursive: true });
      kinds[kind]?.(current);
      expect(await trees.active()).toBeNull();
      await trees.activate(digest);
      expect(await trees.active()).toBe(digest);
      await trees.deactivate();
      if (kind === 'a folder') mkdirSync(join(current, 'deep'), { recursive: true });
      await trees.deactivate();
      expect(existsSync(current)).toBe(false);
    },
  );

  it('[2 bad input] a pipe for a manifest is no manifest, and nobody waits for it', async () => {
    const { digest, manifest, texts } = await put({ a: '1' });
    const file = join(trees.tree(digest), 'manifest');
    rmSync(file);
    execFileSync('mkfifo', [file]);
    expect(await createTrees({ folder }).manifest(digest)).toBeNull();
    await trees.stage(manifest, texts);
    expect(await createTrees({ folder }).manifest(digest)).toEqual(manifest);
  });
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

  it('[2 bad input] is written again when a hand has taken it away or put a folder in its place', async () => {
    const unit = join(folder, 'unit');
    const file = join(unit, 'record.json');
    const record = await openRecord(unit);
    await record.write({ good: sha256('a') });
    rmSync(file);
    mkdirSync(join(file, 'deep'), { recursive: true });
    await record.write({ good: sha256('a') });
    expect((await openRecord(unit)).read().good).toBe(sha256('a'));
    rmSync(file);
    execFileSync('mkfifo', [file]);
    expect((await openRecord(unit)).read()).toEqual(BLANK);
  });

  it('[2 bad input] keeps both of two changes that are written at the same time', async () => {
    const record = await openRecord(join(folder, 'unit'));
    await record.write({ refused: [{ digest: sha256('r'), code: 'c', message: 'm' }] });
    await Promise.all([record.write({ good: sha256('a') }), record.write({ refused: [] })]);
    expect(record.read()).toMatchObject({ good: sha256('a'), refused: [] });
  });

  it('[2 bad input] and the link leave nothing behind that a killed agent was writing', async () => {
    const unit = join(folder, 'unit');
    await (await openRecord(unit)).write({ good: sha256('a') });
    writeFileSync(join(unit, '.record.json.0123456789ab.tmp'), '');
    symlinkSync('trees/x', join(unit, '.current.0123456789ab.tmp'));
    await openRecord(unit);
    expect(readdirSync(unit)).toEqual(['record.json']);
  });
});
