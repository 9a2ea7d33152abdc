/** The trees of one unit on disk: immutable files under names that carry their content, and a link to the active tree. */
import { readlink, rm, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { sha256 } from '../../common/digest.ts';
import { linkAtomic, makeFolder, readRegular, syncFolder, writeFileAtomic } from '../../common/files.ts';
import type { RenderedFile } from '../../common/render/rendered.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { createDisk, type Expected, type Link, statOf } from './disk.ts';

export type ManifestFile = Omit<RenderedFile, 'text' | 'spans'>;

/** What a tree is made of. */
export interface Manifest {
  unit: string;
  digest: string;
  files: ManifestFile[];
}

/** A file with the bytes that it must have. */
export type Text = ManifestFile & { text: string };

export type Write = typeof writeFileAtomic;

export interface Trees {
  folder: string;
  tree(digest: string): string;
  /** Where a file of a tree lies. */
  place(file: ManifestFile, digest: string): string;
  /** Where `current` leads; null when there is no tree. */
  active(): Promise<string | null>;
  /** Null when there is no such tree, or not the whole of it. */
  manifest(digest: string): Promise<Manifest | null>;
  /**
   * Writes what is not there or not right, each file synced, the manifest last. Says what is new.
   * @throws EvenkeelError write-failed, and then what was new is removed again
   */
  stage(manifest: Manifest, texts: readonly Text[]): Promise<string[]>;
  /** Removes what a stage has made, of a tree that will not be used. */
  discard(digest: string, places: readonly string[]): Promise<void>;
  activate(digest: string): Promise<void>;
  /** There is no active tree any more. */
  deactivate(): Promise<void>;
  /** What lies on the disk while a tree is active, `current` and links to fixed places included; always the same list. */
  expected(manifest: Manifest): readonly Expected[];
  /** The links of a tree at fixed places. */
  links(manifest: Manifest): Link[];
}

/** Where the plain files of a unit lie on a box that has left; `current` leads there, so that its daemon finds them by the names it knows. */
export const PLAIN = 'plain';

/** The file of a tree that says what the tree is made of. */
export const MANIFEST = 'manifest';

const WIDTH = 8;
const MOST_KNOWN = 3;

/** @param write how a file is written; another one only where a test lets the disk fail */
export function createTrees({ folder, write = writeFileAtomic }: { folder: string; write?: Write }): Trees {
  const current = join(folder, 'current');
  const tree = (digest: string) => join(folder, 'trees', digest);
  const manifestFile = (digest: string) => join(tree(digest), MANIFEST);
  const place = ({ live, name }: ManifestFile, digest: string) =>
    live ? join(folder, 'files', name) : join(tree(digest), name);
  const fileAt = (file: ManifestFile, digest: string): Expected => ({
    kind: 'file',
    path: file.path,
    place: place(file, digest),
    hash: file.hash,
    mode: file.mode,
  });
  const known = new Map<string, Manifest>();
  const lists = new WeakMap<Manifest, readonly Expected[]>();

  /** The last few that were asked for, the newest last. */
  const remember = (one: Manifest) => {
    known.delete(one.digest);
    known.set(one.digest, one);
    const [oldest] = known.keys();
    if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
  };
  const links = ({ files }: Manifest) => files.flatMap((file) => linkTo(file, current));
  const listOf = (one: Manifest): Expected[] => [
    ...one.files.map((file) => fileAt(file, one.digest)),
    ...links(one),
    { kind: 'link', path: 'current', place: current, target: join('trees', one.digest) },
  ];
  const manifest = async (digest: string): Promise<Manifest | null> => {
    const read = known.get(digest) ?? (await readManifest(manifestFile(digest)));
    if (read?.digest !== digest) return null;
    remember(read);
    return read;
  };
  const put = async ({ text, ...file }: Text, digest: string, fresh: string[]) => {
    const wanted = fileAt(file, digest);
    // Its name proves its content only as long as nobody has edited it: an old file is read again before it is used.
    if (!createDisk().differs(wanted)) return;
    if (statOf(wanted.place) === undefined) fresh.push(wanted.place);
    await clearFolder(wanted.place);
    await write(wanted.place, text, { mode: file.mode, sync: 'later' });
  };
  const stageAll = async (wanted: Manifest, texts: readonly Text[], fresh: string[]) => {
    const folders = new Set(texts.map((file) => dirname(place(file, wanted.digest))));
    folders.add(tree(wanted.digest));
    for (const one of folders) {
      await clearWay(one);
      await makeFolder(one);
    }
    await atOnce(texts, (text) => put(text, wanted.digest, fresh));
    for (const one of folders) await syncFolder(one);
    // From the disk, not from memory: a hand may have taken it away.
    const there = await readManifest(manifestFile(wanted.digest));
    if (there === null || JSON.stringify(there) !== JSON.stringify(wanted)) {
      await clearFolder(manifestFile(wanted.digest));
      await write(manifestFile(wanted.digest), manifestText(wanted));
    }
    remember(wanted);
  };
  /** What a hand has put in the place of one of our folders goes: nothing is written through a link. */
  const clearWay = async (place: string) => {
    let at = folder;
    for (const part of relative(folder, place).split(sep)) {
      at = join(at, part);
      if (statOf(at)?.isDirectory() === false) await unlink(at);
    }
  };
  const discard = async (digest: string, places: readonly string[]) => {
    for (const one of places) await unlink(one).catch(() => undefined);
    if ((await active()) === digest) return;
    await rm(tree(digest), { recursive: true, force: true });
    known.delete(digest);
  };
  const active = () =>
    readlink(current).then(
      (target) => /^trees\/([0-9a-f]{64})$/.exec(target)?.[1] ?? null,
      () => null,
    );
  return {
    folder,
    tree,
    place,
    active,
    manifest,
    stage: async (wanted, texts) => {
      const fresh: string[] = [];
      try {
        await stageAll(wanted, texts, fresh);
        return fresh;
      } catch (cause) {
        await discard(wanted.digest, fresh);
        throw new EvenkeelError('write-failed', messageOf(cause), { cause });
      }
    },
    discard,
    activate: async (digest) => {
      await clearFolder(current);
      await linkAtomic(join('trees', digest), current);
    },
    deactivate: () => rm(current, { force: true, recursive: true }),
    expected: (one) => {
      const list = lists.get(one) ?? listOf(one);
      lists.set(one, list);
      return list;
    },
    links,
  };
}

/** The fixed place of a file leads through `current`, so that it need not change when the tree does. */
const linkTo = ({ link, name, path }: ManifestFile, current: string): Link[] =>
  link === undefined ? [] : [{ kind: 'link', path, place: link, target: join(current, name) }];

/** A checksum, and below it the manifest as JSON. */
function manifestText(manifest: Manifest): string {
  const text = JSON.stringify(manifest);
  return `${sha256(text)}\n${text}`;
}

async function readManifest(file: string): Promise<Manifest | null> {
  try {
    const content = (await readRegular(file)).toString();
    const text = content.slice(65);
    return content.startsWith(`${sha256(text)}\n`) ? (JSON.parse(text) as Manifest) : null;
  } catch {
    return null; // absent, torn or edited: then the tree is written again
  }
}

/** A rename puts a file in the place of anything but a folder. */
export async function clearFolder(place: string): Promise<void> {
  if (statOf(place)?.isDirectory()) await rm(place, { recursive: true });
}

/** A few at once; after a failure no more are begun, and it is thrown when none is under way. */
async function atOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of left) {
      if (failed) return;
      await work(item).catch((err: unknown) => {
        failed = true;
        throw err;
      });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: WIDTH }, worker));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}
